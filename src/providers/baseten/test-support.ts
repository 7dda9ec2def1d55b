import type { Job, JobFile } from '../contract.ts'
import { type BasetenOptions, baseten } from './index.ts'

export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly text: string
}

/** A provider whose requests are noted and answered in order; one more than there are answers fails. */
export function setup(answers: (() => Response)[] = [], options: Partial<BasetenOptions> = {}) {
  const sent: Sent[] = []
  const io = {
    signal: new AbortController().signal,
    async fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
      const request = new Request(input, init)
      sent.push({ method: request.method, url: request.url, headers: request.headers, text: await request.text() })
      const answer = answers.shift()
      if (answer === undefined) throw new Error('one request too many')
      return answer()
    },
  }
  const provider = baseten({ apiKey: 'secret-key', ...options })
  const body = () => JSON.parse(sent.at(-1)?.text ?? '{}') as Record<string, unknown>
  return { provider, io, sent, body }
}

export function file(bytes: number, url: string | null = null): JobFile {
  const open = async () => new Blob([new Uint8Array(bytes).fill(65)]).stream()
  return { name: 'photo.jpg', mediaType: 'image/jpeg', bytes, sha256: 'ab'.repeat(32), url, path: null, open }
}

/** A file that nobody may read. */
export function unread(bytes: number, url: string | null = null): JobFile {
  return { ...file(0, url), bytes, open: () => Promise.reject(new Error('nobody should read this')) }
}

export function job(more: Partial<Job> = {}): Job {
  return {
    marker: { attemptId: 'attempt-1', secret: 'whisper' },
    model: 'surefoot/sharp',
    target: { model: 'abcd1234' },
    input: { focal_length: 30 },
    files: { image: file(3) },
    webhookUrl: 'https://us.test/hooks/whisper',
    uploadUrl: name => `https://us.test/uploads/${name}?signature=1`,
    runLimitMs: 600_000,
    deadlineInMs: 1_800_000,
    ...more,
  }
}
