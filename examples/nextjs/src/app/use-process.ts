import { useEffect, useState } from 'react'
import type { ProcessError, ProcessStatus } from 'surefoot/next'

const route = '/api/process'

/** Sends a photo. The answer comes as soon as its prediction is stored, long before the end. */
export async function startProcess(photo: File): Promise<ProcessStatus | ProcessError> {
  const body = new FormData()
  body.set('image', photo)
  return await ask(route, { method: 'POST', body })
}

/** What the route says about a prediction, twice a second until it has ended; null before the first answer. */
export function useProcess(id: string): ProcessStatus | ProcessError | null {
  const [seen, setSeen] = useState<ProcessStatus | ProcessError | null>(null)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>
    const left = new AbortController()

    async function look() {
      const answer = await ask(`${route}?id=${id}`, { signal: left.signal }).catch(() => null)
      if (left.signal.aborted) return
      if (answer !== null) setSeen(answer)
      // A server that cannot be reached may be starting again; the prediction goes on without it.
      if (answer === null || isLive(answer)) timer = setTimeout(look, 500)
    }

    void look()
    return () => {
      left.abort()
      clearTimeout(timer)
    }
  }, [id])
  return seen
}

export function isLive(answer: ProcessStatus | ProcessError): boolean {
  return 'id' in answer && (answer.status === 'starting' || answer.status === 'processing')
}

async function ask(url: string, init: RequestInit): Promise<ProcessStatus | ProcessError> {
  const response = await fetch(url, init)
  return await response.json()
}
