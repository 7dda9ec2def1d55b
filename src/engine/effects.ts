import type { Clock } from '../core/clock.ts'
import type { Effect, PredictionEvent, Seen } from '../core/events.ts'
import { createFailure, type Failure, type FailureCode, invariant, refuse, SurefootError } from '../core/failure.ts'
import { startLimitMs } from '../core/follow.ts'
import { notifyTimeoutMs } from '../core/notify.ts'
import type { FoundRun, Observation } from '../core/observation.ts'
import type { Policy } from '../core/policy.ts'
import type { Attempt, PredictionRecord } from '../core/prediction.ts'
import { uploadKey, uploadName } from '../core/upload.ts'
import type { Download, FileStore } from '../files/contract.ts'
import type { Io, Job, JobFile, Marker } from '../providers/contract.ts'
import { collectOutput, type OutputOwner, outputKey, removeOutput } from './collect.ts'
import type { Deployment, Links, Log, Route } from './contract.ts'
import { createKeptFiles, type KeptFiles } from './kept-files.ts'
import { findDeployment } from './routes.ts'
import { createLimit, type Limit } from './timeout.ts'
import { type Uploads, withUpload } from './uploads.ts'

/** Performs effects: one call each, with a time limit, answered by one event. Decides nothing and never rejects. */
export interface Performer {
  perform(effect: Effect, record: PredictionRecord, leaseUntil: number): Promise<PredictionEvent>
  /** Nobody waits for these effects any more: their calls end, and what a collect has brought goes. */
  abort(effects: readonly string[], reason: string): void
  /** The engine stops: calls that can be made again by the next one end, and what they brought so far stays for it. */
  interrupt(effects: readonly string[]): void
  /** Removes the file that an attempt has brought although another one, or none, won. Never rejects. */
  discard(record: PredictionRecord, attempt: Attempt): Promise<void>
}

export interface PerformerDependencies {
  readonly routes: ReadonlyMap<string, Route>
  readonly files: FileStore
  readonly uploads: Uploads
  readonly download: Download
  readonly fetch: typeof globalThis.fetch
  readonly links: Links
  readonly clock: Clock
  /** Fresh and unguessable. */
  readonly newId: () => string
  readonly log: Log
  /** The secret that belongs to an attempt id. */
  readonly markerSecret: (attemptId: string) => string
  /** Delivers one webhook to the user; true when the receiver took it. */
  readonly notify: (record: PredictionRecord, notification: string, signal: AbortSignal) => Promise<boolean>
  /** Whether an attempt has ended, by the newest record, and its output is nobody's. */
  readonly hasLost: (predictionId: string, attemptId: string) => Promise<boolean>
  /** By the store's clock. */
  readonly now: () => number
  /** How long signed links outlive the deadline, so that a late worker can still deliver. */
  readonly linkGraceMs?: number
}

const defaultLinkGraceMs = 10 * 60_000

export function createPerformer(dependencies: PerformerDependencies): Performer {
  const { routes, files, uploads, download, fetch, links, clock, log, markerSecret, newId, notify, now } = dependencies
  const linkGraceMs = dependencies.linkGraceMs ?? defaultLinkGraceMs
  const limits = new Map<string, Limit>()
  /** Signals of calls whose prediction or attempt has ended, in contrast to those that were only cut off. */
  const unwanted = new WeakSet<AbortSignal>()
  /** Calls that were cut off because the engine stops. */
  const cut = new Set<string>()
  /** Collects that have stored something which the next one need not bring again. */
  const further = new Set<string>()

  function deploymentOf(record: PredictionRecord, name: string): Deployment {
    const missing = `${name} is not configured any more; prediction ${record.id} needs it.`
    return findDeployment(routes, name) ?? refuse('deployment_missing', missing)
  }

  async function withLimit<T>(effect: Effect, limitMs: number, work: (io: Io) => Promise<T>): Promise<T> {
    const limit = createLimit(clock, limitMs, `The ${effect.type} call`)
    limits.set(effect.effect, limit)
    try {
      return await Promise.race([work({ fetch, signal: limit.signal }), ended(limit.signal)])
    } finally {
      limit.done()
      limits.delete(effect.effect)
    }
  }

  /** A call whose answer may hold files; `settle` makes of both what the record is to know. See `kept-files.ts`. */
  async function withFiles<T>(
    effect: Effect & { readonly attempt: string },
    limitMs: number,
    call: (io: Io) => Promise<T>,
    settle: (answer: T, kept: KeptFiles) => Promise<T>,
  ): Promise<T> {
    return await withLimit(effect, limitMs, io => {
      const kept = createKeptFiles(dependencies, effect.attempt, io.signal)
      const dropAndThrow = async (error: unknown) => {
        await kept.drop()
        throw error
      }
      return call({ ...io, keep: kept.keep }).then(
        answer => (kept.isEmpty() ? answer : settle(answer, kept).catch(dropAndThrow)),
        dropAndThrow,
      )
    })
  }

  async function seen(attemptId: string, deployment: Deployment, observation: Observation): Promise<Seen> {
    return await withUpload(uploads, attemptId, {
      observation,
      cost: deployment.provider.cost(observation, deployment.target),
    })
  }

  async function start(
    effect: Effect & { type: 'start' },
    record: PredictionRecord,
    leaseUntil: number,
  ): Promise<PredictionEvent> {
    const answer = { attempt: effect.attempt, effect: effect.effect }
    const deployment = deploymentOf(record, effect.deployment)
    const { startTimeoutMs } = deployment.provider.limits
    let job: Job
    try {
      job = await jobFor(record, effect.attempt, deployment)
    } catch (error) {
      return { type: 'startRejected', ...answer, failure: failureFrom(error, 'provider_unreachable') }
    }
    if (leaseUntil - now() <= startTimeoutMs) {
      return {
        type: 'startRejected',
        ...answer,
        failure: createFailure(
          'provider_unreachable',
          'The lease was too short to send the start; nothing was started.',
          {
            fault: 'surefoot',
          },
        ),
      }
    }
    try {
      const limitMs = startLimitMs(deployment.provider.limits, policyOf(record))
      const result = await withFiles(
        effect,
        limitMs,
        io => deployment.provider.start(job, io),
        async (answer, kept) => {
          if (answer.kind === 'accepted' && answer.seen !== undefined)
            return { ...answer, seen: await kept.settle(answer.seen) }
          await kept.drop()
          return answer
        },
      )
      switch (result.kind) {
        case 'accepted':
          return {
            type: 'started',
            ...answer,
            handle: result.handle,
            seen: result.seen === undefined ? null : await seen(effect.attempt, deployment, result.seen),
          }
        case 'rejected':
          return { type: 'startRejected', ...answer, failure: result.failure }
        case 'unknown':
          return { type: 'startUnknown', ...answer, failure: result.failure }
      }
    } catch (error) {
      return { type: 'startUnknown', ...answer, failure: failureFrom(error, 'start_unknown') }
    }
  }

  function policyOf({ model }: PredictionRecord): Policy {
    const route = routes.get(model)
    invariant(route !== undefined, `model ${model} is not configured`)
    return route.policy
  }

  /** Bytes go past us where the store can be reached without us. */
  async function jobFor(record: PredictionRecord, attemptId: string, deployment: Deployment): Promise<Job> {
    const marker: Marker = { attemptId, secret: markerSecret(attemptId) }
    const until = record.deadlineAt + linkGraceMs
    const { outside } = files
    const upload = await outside?.writeUrl(uploadKey(attemptId), until)
    const jobFiles: { [field: string]: JobFile } = {}
    for (const [field, file] of Object.entries(record.files)) {
      jobFiles[field] = {
        name: file.name,
        mediaType: file.mediaType,
        bytes: file.bytes,
        sha256: file.sha256,
        url: (await outside?.readUrl(file.key, until, file)) ?? links.input(file.key, file.name, until),
        path: files.path(file.key),
        async open() {
          const opened = await files.open(file.key)
          invariant(opened !== null, `input file ${file.key} is missing`)
          return opened.body
        },
      }
    }
    const input = Object.fromEntries(Object.entries(record.input).filter(([field]) => !(field in record.files)))
    return {
      marker,
      model: record.model,
      target: deployment.target,
      input,
      files: jobFiles,
      webhookUrl: links.webhook(deployment.providerName, attemptId, marker.secret),
      uploadUrl: name => (name === uploadName && upload) || links.upload(attemptId, name, until),
      runLimitMs: policyOf(record).runMs,
      deadlineInMs: Math.max(0, record.deadlineAt - now()),
    }
  }

  /** The provider's own word on its queue and workers; null where it has none or does not answer. */
  async function healthOf(effect: Effect, { provider, target }: Deployment): Promise<string | null> {
    const { health } = provider
    if (health === undefined) return null
    try {
      const told = await withLimit(effect, provider.limits.callTimeoutMs, io => health.call(provider, target, io))
      return told.state === 'ok' || told.state === 'unknown' ? null : told.message
    } catch {
      // Health is a help to understand, never a condition: whoever cannot be asked has said nothing.
      return null
    }
  }

  async function run(effect: Effect, record: PredictionRecord, leaseUntil: number): Promise<PredictionEvent> {
    if (effect.type === 'notify') {
      const delivered = await withLimit(effect, notifyTimeoutMs, io =>
        notify(record, effect.notification, io.signal),
      ).catch(() => false)
      return { type: 'notified', notification: effect.notification, effect: effect.effect, delivered }
    }
    if (effect.type === 'start') return start(effect, record, leaseUntil)
    const answer = { attempt: effect.attempt, effect: effect.effect }
    const deployment = deploymentOf(record, effect.deployment)
    const { provider } = deployment
    const callMs = provider.limits.callTimeoutMs
    switch (effect.type) {
      case 'poll': {
        const { poll } = provider
        invariant(poll !== undefined, `${effect.deployment} cannot be polled`)
        const observation = await withFiles(
          effect,
          callMs,
          io => poll.call(provider, effect.handle, io),
          (observation, kept) => kept.settle(observation, { again: true }),
        )
        return { type: 'observed', ...answer, seen: await seen(effect.attempt, deployment, observation) }
      }
      case 'find': {
        const { find } = provider
        invariant(find !== undefined, `${effect.deployment} cannot be searched`)
        const marker = { attemptId: effect.attempt, secret: markerSecret(effect.attempt) }
        const runs = await withLimit(effect, callMs, io => find.call(provider, marker, effect.since, io))
        const costOf = ({ seen }: FoundRun) => (seen === undefined ? null : provider.cost(seen, deployment.target))
        return { type: 'found', ...answer, runs: runs.map(run => ({ ...run, cost: costOf(run) })) }
      }
      case 'inspect': {
        const [upload, health] = await Promise.all([uploads.find(effect.attempt), healthOf(effect, deployment)])
        return { type: 'inspected', ...answer, upload, health }
      }
      case 'cancel': {
        const { cancel } = provider
        invariant(cancel !== undefined, `${effect.deployment} cannot be cancelled`)
        return {
          type: 'cancelAnswered',
          ...answer,
          answer: await withLimit(effect, callMs, io => cancel.call(provider, effect.handle, io)),
        }
      }
      case 'collect': {
        const route = routes.get(record.model)
        invariant(route !== undefined, `model ${record.model} is not configured`)
        const request = {
          predictionId: record.id,
          attemptId: effect.attempt,
          model: route.model,
          outputs: effect.outputs,
        }
        const { trustedOrigins } = provider
        const onProgress = () => void further.add(effect.effect)
        const output = await withLimit(effect, route.policy.collectMs, io =>
          collectOutput(files, download, { ...request, trustedOrigins, signal: io.signal, newId, onProgress }).finally(
            () => (unwanted.has(io.signal) ? removeIfLost(request) : undefined),
          ),
        )
        // Of other answers, which a process that has died could not take away again.
        const [taken] = effect.outputs
        if (taken?.kind === 'stored' && taken.key !== uploadKey(effect.attempt))
          await uploads.remove(effect.attempt, taken.key).catch(() => {})
        return { type: 'collected', ...answer, output }
      }
    }
  }

  /**
   * The file may have become whole just when nobody waited for this call any more. That can also be because another
   * process collects the same attempt, or has won with this very file: then it is not ours to remove.
   */
  async function removeIfLost(request: Parameters<typeof remove>[0]): Promise<void> {
    const hasLost = await dependencies.hasLost(request.predictionId, request.attemptId).catch(() => false)
    if (hasLost) await remove(request)
  }

  async function remove(request: OutputOwner & { outputs: Attempt['outputs'] }): Promise<void> {
    const [reference] = request.outputs ?? []
    const removals = [uploads.remove(request.attemptId)]
    if (reference !== undefined) {
      removals.push(removeOutput(files, request, reference))
      if (reference.kind === 'url' && files.resumable !== undefined)
        removals.push(files.resumable.drop(outputKey(request)))
    }
    await Promise.all(removals).catch(error =>
      log('warn', 'An output that nobody wants could not be removed.', { error: String(error) }),
    )
  }

  return {
    async perform(effect, record, leaseUntil) {
      try {
        return await run(effect, record, leaseUntil)
      } catch (error) {
        const failed = failedEffect(effect, error, log)
        if (failed.type === 'pollFailed' && cut.has(effect.effect)) return { ...failed, cutOff: true }
        const broughtMore = further.has(effect.effect)
        return failed.type === 'collectFailed' && broughtMore ? { ...failed, broughtMore } : failed
      } finally {
        further.delete(effect.effect)
        cut.delete(effect.effect)
      }
    },
    abort(effects, reason) {
      for (const id of effects) {
        const limit = limits.get(id)
        if (limit === undefined) continue
        unwanted.add(limit.signal)
        limit.abort(reason)
      }
    },
    interrupt(effects) {
      for (const id of effects) {
        const limit = limits.get(id)
        if (limit === undefined) continue
        cut.add(id)
        limit.abort('the engine stops')
      }
    },
    async discard(record, { id, outputs }) {
      const model = routes.get(record.model)?.model
      if (model !== undefined) await remove({ predictionId: record.id, attemptId: id, model, outputs })
    },
  }
}

/** What an effect that threw leads to. A poll or cancel that could not be asked says nothing about the job. */
function failedEffect(effect: Effect, error: unknown, log: Log): PredictionEvent {
  if (!SurefootError.is(error) && !isAbort(error))
    log('warn', `The ${effect.type} call failed.`, { error: String(error) })
  switch (effect.type) {
    case 'notify':
      return { type: 'notified', notification: effect.notification, effect: effect.effect, delivered: false }
    case 'start':
      return {
        type: 'startUnknown',
        attempt: effect.attempt,
        effect: effect.effect,
        failure: failureFrom(error, 'start_unknown'),
      }
    case 'find':
      return {
        type: 'findFailed',
        attempt: effect.attempt,
        effect: effect.effect,
        failure: failureFrom(error, 'provider_unreachable'),
      }
    case 'inspect':
      return { type: 'inspected', attempt: effect.attempt, effect: effect.effect, upload: null, health: null }
    case 'poll':
      return {
        type: 'pollFailed',
        attempt: effect.attempt,
        effect: effect.effect,
        failure: failureFrom(error, 'provider_unreachable'),
      }
    case 'cancel':
      return { type: 'cancelAnswered', attempt: effect.attempt, effect: effect.effect, answer: 'requested' }
    case 'collect':
      return {
        type: 'collectFailed',
        attempt: effect.attempt,
        effect: effect.effect,
        failure: failureFrom(error, 'provider_unreachable'),
      }
  }
}

/** A thrown failure as it is, anything else under the given code. */
export function failureFrom(error: unknown, code: FailureCode): Failure {
  if (SurefootError.is(error)) return error.failure
  return createFailure(code, error instanceof Error ? error.message : String(error))
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError'
}

/** Rejects when the signal ends: also a call that ignores its signal ends in time. */
function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
