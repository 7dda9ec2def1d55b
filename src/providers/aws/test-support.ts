import type { Io, Job, JobFile } from '../contract.ts'
import { ecs } from './ecs/index.ts'
import { lambda } from './lambda/index.ts'
import { sagemaker } from './sagemaker/index.ts'

/** Where and as whom; nothing of it is real. */
export const access = {
  region: 'eu-west-1',
  credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'very-secret', sessionToken: 'session-secret' },
} as const

/** One request as it was sent. */
export interface Sent {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly text: string
  json(): Record<string, unknown>
}

/** A network that gives these answers in order, and keeps what was sent. */
export function scripted(answers: (() => Response)[]): { readonly io: Io; readonly sent: Sent[] } {
  const sent: Sent[] = []
  return {
    sent,
    io: {
      signal: new AbortController().signal,
      async fetch(input, init) {
        const request = new Request(input, init)
        const text = await request.text()
        const { method, headers } = request
        sent.push({
          method,
          url: new URL(request.url),
          headers,
          text,
          json: () => JSON.parse(text) as Record<string, unknown>,
        })
        const answer = answers.shift()
        if (answer === undefined) throw new Error('one request too many')
        return answer()
      },
    },
  }
}

/** An answer of a JSON service. */
export function awsJson(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/x-amz-json-1.1' } })
}

/** S3's answer to a PUT. */
export const stored = (): Response => new Response(null, { status: 200 })

/** S3's answer where nothing is. */
export const nothing = (): Response =>
  new Response('<Error><Code>NoSuchKey</Code></Error>', { status: 404, headers: { 'content-type': 'application/xml' } })

export function file(bytes: number, url: string | null = null): JobFile {
  const open = async () => new Blob([new Uint8Array(bytes).fill(65)]).stream()
  return { name: 'photo.jpg', mediaType: 'image/jpeg', bytes, sha256: 'ab'.repeat(32), url, path: null, open }
}

/** A job with one photo, reachable by public URLs. */
export function job(target: object, more: Partial<Job> = {}): Job {
  return {
    marker: { attemptId: 'attempt-1', secret: 'whisper' },
    model: 'surefoot/sharp',
    target: target as Job['target'],
    input: { focal_length: 30 },
    files: { image: file(3, 'https://us.test/photo?signature=1') },
    webhookUrl: 'https://us.test/hooks/whisper',
    uploadUrl: name => `https://us.test/uploads/${name}?signature=1`,
    runLimitMs: 600_000,
    deadlineInMs: 1_800_000,
    ...more,
  }
}

/**
 * Loads the SDK and lets it look for its files, which both take real time; simulated time would run past a start's limit
 * meanwhile.
 */
export async function warmUp(): Promise<void> {
  const io: Io = { fetch: async () => new Response('{}'), signal: new AbortController().signal }
  const options = { ...access, bucket: 'predictions' }
  await ecs(options).start(job({ taskDefinition: 'a' }), io)
  await lambda(options).start(job({ function: 'a' }), io)
  await sagemaker(options).start(job({ endpoint: 'a' }), io)
}
