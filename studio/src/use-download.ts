import { useCallback, useEffect, useRef, useState } from 'react'
import { getPrediction, ownPath, RequestError, toRequestError } from './api.ts'

const askEveryMs = 1_000

/** What is known of a file that is being made: its stage, or why it could not be. */
export interface Download {
  readonly name: string
  readonly state: 'making' | 'failed'
  readonly words: string
}

/**
 * Downloads files that the gateway makes when they are asked for: asks until one is there, then hands its link to the
 * browser. Links are asked for anew, because a page may stand open longer than they live. One at a time.
 */
export function useDownload(prediction: string): { readonly download: Download | null; start(name: string): void } {
  const [download, setDownload] = useState<Download | null>(null)
  const current = useRef<AbortController | null>(null)
  useEffect(() => () => current.current?.abort(), [])

  const start = useCallback(
    (name: string) => {
      current.current?.abort()
      const controller = new AbortController()
      current.current = controller
      const { signal } = controller
      const show = (state: Download['state'], words: string) => !signal.aborted && setDownload({ name, state, words })
      show('making', 'asking')
      make(prediction, name, signal, stage => show('making', stage)).then(
        url => {
          setDownload(null)
          save(url, name)
        },
        error => show('failed', error instanceof RequestError ? error.message : 'The file could not be made.'),
      )
    },
    [prediction],
  )
  return { download, start }
}

/** Resolves to the link of a file that is there. */
async function make(
  prediction: string,
  name: string,
  signal: AbortSignal,
  onStage: (stage: string) => void,
): Promise<string> {
  for (;;) {
    const { surefoot } = await getPrediction(prediction, signal)
    const address = surefoot.derivatives?.find(derivative => derivative.name === name)?.url
    if (address === undefined) throw new RequestError('The file is no longer offered.', 404, null, null)
    const url = ownPath(address)
    const response = await fetch(url, { headers: { prefer: 'respond-async', range: 'bytes=0-0' }, signal })
    if (response.ok && response.status !== 202) {
      await response.body?.cancel()
      return url
    }
    if (!response.ok) throw await toRequestError(response)
    const { progress } = (await response.json()) as { readonly progress: { readonly stage: string } }
    onStage(progress.stage)
    await new Promise(resolve => setTimeout(resolve, askEveryMs))
    signal.throwIfAborted()
  }
}

function save(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
}
