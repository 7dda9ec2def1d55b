import { z } from 'zod'
import type { FaultName } from '../catalogue.ts'
import { createGate } from '../gate.ts'
import { type Faulty, loseCreate, refuseCreate } from '../misbehave.ts'
import { spoil } from '../spoil.ts'
import { answer, problem, restWording } from './answers.ts'
import { createKit, folderOf, type Kit, parse } from './kit.ts'
import type { Objects } from './s3.ts'
import type { Service, ServiceOptions } from './service.ts'

/** Where endpoints put answers and errors: a bucket of their own, as their configuration would say. */
export const resultsBucket = 'async-results'

/** When the fault `timed-out` strikes, counted from the submission or from the start. */
const timedOutMs = { queue: 30_000, run: 5_000 } as const

/** One request of an asynchronous endpoint. */
interface Inference extends Faulty {
  readonly id: string
  readonly label: string | null
  readonly endpoint: string
  readonly inputPath: string
  /** What lay there when it was asked for. */
  readonly input: { readonly [field: string]: unknown }
  readonly outputPath: string
  readonly failurePath: string
  readonly timeoutMs: number
  readonly origin: string
  readonly folder: string | null
  startedAt: number | null
  endedAt: number | null
  readonly stop: AbortController
  readonly timers: Set<() => void>
}

const failures: readonly (readonly [FaultName, string])[] = [
  ['oom', 'MemoryError: the worker died, out of memory'],
  ['cuda-oom', 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.50 GiB.'],
  ['cuda-poisoned', 'RuntimeError: CUDA error: an illegal memory access was encountered'],
  ['model-error', 'ValueError: Input image must have 3 channels, got 4'],
  ['upload-error', 'could not upload the output: 403'],
]

const notFound = () => problem('ValidationError', 'Endpoint sharp of account 123456789012 not found.')
const wording = {
  ...restWording,
  refusal: (status: number) => (status === 404 ? notFound() : restWording.refusal(status)),
}

/** `DescribeEndpoint`; times in seconds. */
export interface EndpointView {
  readonly EndpointName: string
  readonly EndpointArn: string
  readonly EndpointStatus: 'InService'
  readonly CreationTime: number
  readonly LastModifiedTime: number
  readonly AsyncInferenceConfig: {
    readonly ClientConfig: { readonly MaxConcurrentInvocationsPerInstance: number }
    readonly OutputConfig: { readonly S3OutputPath: string; readonly S3FailurePath: string }
  }
  readonly ProductionVariants: readonly {
    readonly VariantName: string
    readonly CurrentInstanceCount: number
    readonly DesiredInstanceCount: number
  }[]
}

export interface SagemakerService extends Service {
  invoke(endpoint: string, request: Request, origin: string, signals: readonly AbortSignal[]): Promise<Response>
  describe(request: Request): Promise<Response>
}

/**
 * Asynchronous endpoints of SageMaker: every endpoint exists, has one instance that scales from zero, and its container is our
 * kit where the input holds `surefoot`, a stranger's otherwise. Source: see `docs/providers/aws.md`.
 */
export function createSagemakerService(options: ServiceOptions & { readonly objects: Objects }): SagemakerService {
  const { clock, work, bootMs, newId, roll, networkOf, fetchFilesOf, objects } = options
  const inferences = new Map<string, Inference>()

  function later(inference: Inference, ms: number, then: () => void): void {
    const cancel = clock.after(ms, () => {
      inference.timers.delete(cancel)
      then()
    })
    inference.timers.add(cancel)
  }

  function end(inference: Inference, more: { readonly error?: string; readonly answer?: Blob }): void {
    if (inference.endedAt !== null) return
    inference.endedAt = clock.now()
    for (const cancel of inference.timers) cancel()
    inference.timers.clear()
    inference.stop.abort(new Error('the inference has ended'))
    const { outputPath, failurePath, faults } = inference
    if (more.answer !== undefined) objects.put(outputPath, more.answer, faults)
    if (more.error !== undefined) objects.put(failurePath, new Blob([more.error], { type: 'text/plain' }))
  }

  function begin(inference: Inference, ttlMs: number): void {
    const { faults } = inference
    const expiresMs = faults.text('timed-out') === 'queue' ? timedOutMs.queue : ttlMs
    later(inference, expiresMs, () => {
      if (inference.startedAt === null) end(inference, { error: 'The request expired before it was processed.' })
    })
    if (faults.has('queue-forever') || faults.has('boot-forever') || faults.text('timed-out') === 'queue') return
    later(inference, faults.has('boot-slow') ? faults.number('boot-slow') * 1000 : bootMs, () => {
      inference.startedAt = clock.now()
      const limitMs = faults.text('timed-out') === 'run' ? timedOutMs.run : inference.timeoutMs
      later(inference, limitMs, () => end(inference, { error: 'Model invocation timed out.' }))
      void run(inference)
    })
  }

  async function run(inference: Inference): Promise<void> {
    const { faults, endpoint, id } = inference
    const { signal } = inference.stop
    const fetch = networkOf(inference)
    const fetchFiles = fetchFilesOf(fetch)
    let kit: Kit | null = null
    const fail = async (words: string): Promise<void> => {
      await kit?.fail(words)
      end(inference, { error: `Received server error (500) from primary with message "${words}".` })
    }
    try {
      const stored = objects.get(inference.inputPath)
      if (stored === null) return end(inference, { error: 'Unable to download the input from the input location.' })
      const input = z.record(z.string(), z.unknown()).parse(JSON.parse(await stored.text()))
      const model = `sagemaker/${endpoint}`
      kit =
        'surefoot' in input
          ? createKit({ input, id, model, work, faults, fetch, fetchFiles, signal, now: clock.now })
          : null
      if (kit !== null && !(await kit.claim())) return end(inference, { answer: json({ claimed: true }) })
      const gate = createGate(inference, failures, {
        isOver: () => signal.aborted,
        write: (fraction, line) => kit?.report(fraction, line),
        fail: words => void fail(words),
        restart: () => {},
      })
      if (kit !== null) {
        await kit.run(gate)
        if (!gate.frozen()) end(inference, { answer: json({ uploaded: true }) })
        return
      }
      const outputs = await work({ model, input, files: await fetchFiles(input, signal) }, gate.at, signal)
      gate.end()
      if (signal.aborted || gate.frozen()) return
      const [first] = await spoil(faults, outputs, true)
      // An answer without a body is still an answer: an empty object.
      end(inference, { answer: first === undefined || faults.has('empty-output') ? new Blob([]) : first.body })
    } catch (error) {
      if (!signal.aborted) await fail(error instanceof Error ? error.message : String(error))
    }
  }

  /** What an input's object holds; nothing where it is none or is not there. */
  async function inputAt(path: string): Promise<{ readonly [field: string]: unknown }> {
    const input = z.record(z.string(), z.unknown()).safeParse(parse((await objects.get(path)?.text()) ?? ''))
    return input.success ? input.data : {}
  }

  return {
    async invoke(endpoint, request, origin, signals) {
      const header = (name: string) => request.headers.get(`x-amzn-sagemaker-${name}`)
      const location = /^s3:\/\/(.+)$/.exec(header('inputlocation') ?? '')?.[1]
      if (location === undefined) return problem('ValidationError', 'InputLocation must be an S3 URI.')
      const faults = roll()
      const refusal = faults.has('create-400') ? wording.refusal(400) : refuseCreate(faults, clock.now(), wording)
      if (refusal !== null) return refusal
      const id = newId()
      const label = header('inference-id')
      const input = await inputAt(location)
      const inference: Inference = {
        ...{ id, label, endpoint, inputPath: location, input, origin, faults, folder: folderOf(input) },
        outputPath: `${resultsBucket}/out/${id}.out`,
        failurePath: `${resultsBucket}/failures/${id}-error.out`,
        timeoutMs: Number(header('invocationtimeoutseconds') ?? 900) * 1000,
        ...{ shown: new Map(), forgotten: false, startedAt: null, endedAt: null },
        stop: new AbortController(),
        timers: new Set(),
      }
      inferences.set(id, inference)
      begin(inference, Number(header('requestttlseconds') ?? 21_600) * 1000)
      const lost = await loseCreate(faults, signals, wording)
      if (lost !== null) return lost
      const response = answer({ InferenceId: label ?? id }, 202)
      response.headers.set('x-amzn-sagemaker-outputlocation', `s3://${inference.outputPath}`)
      response.headers.set('x-amzn-sagemaker-failurelocation', `s3://${inference.failurePath}`)
      return response
    },
    async describe(request) {
      const { EndpointName: endpoint } = z.looseObject({ EndpointName: z.string() }).parse(await request.json())
      const mine = [...inferences.values()].filter(each => each.endpoint === endpoint && each.endedAt === null)
      const isUp = mine.some(({ startedAt }) => startedAt !== null)
      const seconds = clock.now() / 1000
      const described: EndpointView = {
        EndpointName: endpoint,
        EndpointArn: `arn:aws:sagemaker:us-east-1:123456789012:endpoint/${endpoint}`,
        EndpointStatus: 'InService',
        CreationTime: seconds,
        LastModifiedTime: seconds,
        AsyncInferenceConfig: {
          ClientConfig: { MaxConcurrentInvocationsPerInstance: 1 },
          OutputConfig: { S3OutputPath: `s3://${resultsBucket}/out`, S3FailurePath: `s3://${resultsBucket}/failures` },
        },
        ProductionVariants: [
          {
            VariantName: 'AllTraffic',
            CurrentInstanceCount: isUp ? 1 : 0,
            DesiredInstanceCount: mine.length > 0 ? 1 : 0,
          },
        ],
      }
      return answer(described)
    },
    runAt: path =>
      [...inferences.values()].find(
        ({ folder, outputPath, failurePath }) =>
          [`/${outputPath}`, `/${failurePath}`].includes(path) || (folder !== null && path.startsWith(folder)),
      ),
    get submits() {
      return inferences.size
    },
    // What waits at an endpoint without instances costs nothing, and nobody can take it back.
    get running() {
      return [...inferences.values()].filter(({ startedAt, endedAt }) => startedAt !== null && endedAt === null).length
    },
    ledger: () =>
      [...inferences.values()].map(({ id, input, label, startedAt, endedAt }) => ({
        id,
        input,
        label,
        isRunning: startedAt !== null && endedAt === null,
        status: startedAt === null ? 'waiting' : endedAt === null ? 'running' : 'ended',
        billedMs: startedAt === null ? 0 : (endedAt ?? clock.now()) - startedAt,
      })),
    close() {
      for (const { timers, stop } of inferences.values()) {
        for (const cancel of timers) cancel()
        stop.abort(new Error('the emulator was closed'))
      }
    },
  }
}

function json(body: object): Blob {
  return new Blob([JSON.stringify(body)], { type: 'application/json' })
}
