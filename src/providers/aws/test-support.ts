import { createAwsEmulator } from '../../emulators/aws/index.ts'
import type { Cells } from '../../testing/describe-provider.ts'
import type { ProviderUnderTest } from '../../testing/provider-under-test.ts'
import { openAdapter } from '../../testing/test-adapter.ts'
import { usualCells, withoutInlineOutputs } from '../../testing/test-cells.ts'
import type { Setting } from '../../testing/test-prediction.ts'
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

/** Where the emulator stands in for AWS, and as whom to call it. */
export const emulated = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'AKIAGOOD', secretAccessKey: 'secret' },
  endpoint: 'https://aws.test',
} as const

/** One of the adapters with its emulator, for the contract suite. */
export function openAws(
  faults: readonly string[],
  vendor: Pick<Setting, 'provider'> & Pick<ProviderUnderTest, 'target'>,
): ProviderUnderTest {
  const { credentials } = emulated
  return openAdapter(faults, {
    emulator: parts => createAwsEmulator({ ...parts, credentials }),
    costEstimated: true,
    ...vendor,
  })
}

/** What holds for every service of AWS. */
export const awsCells = {
  ...usualCells,
  ...withoutInlineOutputs('Outputs lie in the bucket, of any size'),
  'start: rejected because of a bad token that looks like a missing target': {
    skip: 'AWS names a bad key as what it is',
  },
  // AWS says 400 for what others answer with 422.
  'start: rejected with 422': ['create-400'],
} satisfies Partial<Cells>

const notYet = { skip: 'A lost start is found as soon as its kit has reported, not before (lambda/observe.test.ts)' }
const noWord = { skip: "A kit's words are a closed list: another one is no report (lambda/observe.test.ts)" }

/** What holds for the services that have no status of their own, and are known by what a kit reports to the bucket. */
export const reportCells = {
  ...awsCells,
  'find: a lost start by its webhook': notYet,
  'find: a lost start without a webhook': notYet,
  'find: a lost start without a webhook, with a large input': notYet,
  'poll: progress begins again': {
    skip: "An attempt's claim lets it begin only once (emulators/aws/lambda-life.test.ts)",
  },
  'poll: the worker is taken away': ['cuda-poisoned'],
  'poll: a word nobody knows': noWord,
  'poll: a last word nobody knows': noWord,
  'output: purged by the vendor': { skip: "The bucket is its owner's: what is in it stays" },
  'cancel: ignored': { skip: 'A cancel is a claim in the bucket; nobody can ignore it' },
  'cancel: too late': { skip: 'A cancel that comes too late is impossible, and says so (lambda/observe.test.ts)' },
} satisfies Partial<Cells>
