'use client'

import { useSearchParams } from 'next/navigation'
import { type ChangeEvent, Suspense, useState } from 'react'
import { isLive, startProcess, useProcess } from './use-process'

export default function Page() {
  return (
    <main>
      <h1>Photo to splat</h1>
      {/* Pages are made before anybody asks for one; the id in the address is known only then. */}
      <Suspense>
        <Process />
      </Suspense>
    </main>
  )
}

/** The choice of a photo, and the prediction that the address names: a reload shows the same one. */
function Process() {
  const id = useSearchParams().get('id')
  const [sending, setSending] = useState(false)
  const [refusal, setRefusal] = useState<string | null>(null)

  async function send({ target }: ChangeEvent<HTMLInputElement>) {
    const photo = target.files?.[0]
    if (photo === undefined) return
    setSending(true)
    setRefusal(null)
    const answer = await startProcess(photo).catch(() => null)
    setSending(false)
    target.value = ''
    if (answer !== null && 'id' in answer) history.pushState(null, '', `?id=${answer.id}`)
    else setRefusal(answer?.error ?? 'The server gave no answer; is it still running?')
  }

  return (
    <>
      <label className="choice">
        <span>{id === null ? 'Choose a photo' : 'Choose another photo'}</span>
        <input type="file" accept="image/jpeg,image/png,image/webp,image/avif" disabled={sending} onChange={send} />
      </label>
      {sending && <Progress stage="sending the photo" fraction={null} />}
      {refusal !== null && <p role="alert">{refusal}</p>}
      {!sending && refusal === null && id !== null && <Prediction key={id} id={id} />}
    </>
  )
}

function Prediction({ id }: { readonly id: string }) {
  const seen = useProcess(id)
  if (seen === null) return null
  if (!('id' in seen)) return <p role="alert">{seen.error}</p>
  const { status, stage, fraction, error, output, notice } = seen
  if (isLive(seen)) return <Progress stage={stage ?? status} fraction={fraction} />
  if (output === null) return <p role="alert">{error ?? `This was ${status}.`}</p>
  return (
    <>
      <a href={output.url} download={output.name}>
        Download {output.name} ({(output.bytes / 1e6).toFixed(1)} MB)
      </a>
      <p>{notice}</p>
    </>
  )
}

/** The server's own words and fraction. A bar without a value is one whose end nobody knows. */
function Progress({ stage, fraction }: { readonly stage: string; readonly fraction: number | null }) {
  return (
    <label>
      <span>
        {stage} {fraction !== null && `${Math.floor(fraction * 100)} %`}
      </span>
      <progress {...(fraction === null ? {} : { value: fraction })} />
    </label>
  )
}
