'use client'

import { useSearchParams } from 'next/navigation'
import { type ChangeEvent, Suspense } from 'react'
import { type Run, useRun } from 'surefoot/react'

export default function Page() {
  return (
    <main>
      <h1>Photo to splat</h1>
      {/* Pages are made before anybody asks for one; the id in the address is known only then. */}
      <Suspense>
        <Photo />
      </Suspense>
    </main>
  )
}

/** The choice of a photo, and the prediction that the address names: a reload shows the same one. */
function Photo() {
  const id = useSearchParams().get('id')
  const shown = useRun({
    model: 'surefoot/relief',
    id,
    onCreate: created => history.pushState(null, '', `?id=${created}`),
  })

  async function choose({ target }: ChangeEvent<HTMLInputElement>) {
    const image = target.files?.[0]
    target.value = ''
    if (image !== undefined) await shown.run({ image })
  }

  return (
    <>
      <label className="choice">
        <span>{id === null ? 'Choose a photo' : 'Choose another photo'}</span>
        <input type="file" accept="image/jpeg,image/png,image/webp,image/avif" onChange={choose} />
      </label>
      <Outcome {...shown} />
    </>
  )
}

function Outcome({ status, stage, fraction, error, output, prediction, isLive, cancel }: Run) {
  if (error !== null) return <p role="alert">{error.message}</p>
  if (isLive)
    return (
      <>
        {/* The worker's own words and fraction. A bar without a value is one whose end nobody knows. */}
        <label>
          <span>
            {stage ?? status ?? 'asking'} {fraction !== null && `${Math.floor(fraction * 100)} %`}
          </span>
          <progress {...(fraction === null ? {} : { value: fraction })} />
        </label>
        <button type="button" onClick={cancel}>
          Cancel
        </button>
      </>
    )
  if (output !== null)
    return (
      <>
        <a href={output.url} download={output.name}>
          Download {output.name} ({(output.bytes / 1e6).toFixed(1)} MB)
        </a>
        <p>{prediction?.surefoot.notice}</p>
      </>
    )
  return status === null ? null : <p role="alert">This was {status}.</p>
}
