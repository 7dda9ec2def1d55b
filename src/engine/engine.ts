import type { Clock, Random } from '../core/clock.ts'
import { createRecord } from '../core/create-record.ts'
import { isSureRefusal, refuse, SurefootError } from '../core/failure.ts'
import { isTerminal, type PredictionRecord } from '../core/prediction.ts'
import type { Retention } from '../core/retention.ts'
import type { Download, FileStore } from '../files/contract.ts'
import type { Store, StoredPrediction } from '../store/contract.ts'
import type { CreateRequest, Deployment, Engine, Links, Log, Route, Turn } from './contract.ts'
import { createJournal } from './create-journal.ts'
import { createDriver } from './driver.ts'
import { createPerformer, type Performer } from './effects.ts'
import { createFigures, sayFull } from './figures.ts'
import { addFile, type ConvertPhoto, checkInput, discardFiles, removeFile } from './inputs.ts'
import { createInsight } from './insight.ts'
import { createJanitor } from './janitor.ts'
import { createKeepWarm } from './keep-warm.ts'
import { dropUnknown } from './kept-files.ts'
import { isMarkerSecret, markerSecret } from './marker.ts'
import { createMigrations } from './migrations.ts'
import { createOnce } from './once.ts'
import { createOrphans } from './orphans.ts'
import { isLoser } from './pending-effects.ts'
import { createPendingFiles } from './pending-files.ts'
import { type Grant, grant } from './quotas.ts'
import { deploymentsOf, everyDeployment, findDeployment, findProvider, routeFor } from './routes.ts'
import { createLimit } from './timeout.ts'
import { createTurns } from './turns.ts'
import { createUploads, withUpload } from './uploads.ts'
import { createWarmer } from './warm.ts'
import { createWatchers } from './watchers.ts'

export interface EngineDependencies {
  /** Unique for each process start. */
  readonly name: string
  /** True where no other process can be alive: an owned data folder. */
  readonly alone: boolean
  readonly store: Store
  readonly files: FileStore
  readonly download: Download
  readonly routes: ReadonlyMap<string, Route>
  readonly links: Links
  /** Key of all marker secrets; the same for every process on one store. */
  readonly serverKey: string
  readonly clock: Clock
  readonly random: Random
  /** Fresh, unguessable, 26 lower-case characters or so. */
  readonly newId: () => string
  readonly fetch: typeof globalThis.fetch
  /** Delivers one webhook to the user; true when the receiver took it. */
  readonly notify: (record: PredictionRecord, notification: string, signal: AbortSignal) => Promise<boolean>
  /** Refuses with `input_invalid` a webhook's URL to which nothing could ever be delivered. Default: takes every URL. */
  readonly checkWebhook?: (url: string) => void
  readonly log: Log
  /** Keeps deployments warm in their hours: for processes that stay. Default true. */
  readonly keepsWarm?: boolean
  /** Makes a JPEG of a HEIC photo. Default: HEIC is refused. */
  readonly convertHeic?: ConvertPhoto
  /** How long data are kept, and how much room must be left. Default: for ever, and none. */
  readonly retention?: Retention
  /** Photos keep the coordinates of where they were taken. Default false: these are removed before anybody gets them. */
  readonly keepLocation?: boolean
  /** How long a turn takes at most, where turns drive the engine. Default 8,000 ms. */
  readonly turnMs?: number
}

/** Watching goes by hints of the store. Where other processes write too some may be lost, so watchers also look. */
const lookAgainMs = 1_000

/** Somebody looks at a page and waits for it. */
const healthTimeoutMs = 5_000

/** How long files outlast the deadline of a prediction that uses them: clocks differ, and shadow runs begin later. */
const filesHeldMs = 3_600_000

/** Hosts for functions end a request after 10 s where nothing else is set. */
const usualTurnMs = 8_000

/** Of a process whose loops do all that a turn would do. */
const loopsTurn: Turn = {
  signal: new AbortController().signal,
  advance: async () => {},
  keepHouse: async () => {},
}

/** Nothing is ever removed or refused. */
const everything: Retention = { ageMs: null, bytes: null, spareBytes: 0 }

/** How long fetching an input from a URL may take; creating waits for it. */
const inputTimeoutMs = 30_000

/** How often what is left of an owner's budget is looked at anew because others took it meanwhile. */
const grantTries = 3

/** Puts the parts together: the front's verbs over the driver, the performer and the stores. Starts nothing by itself. */
export function createEngine(dependencies: EngineDependencies): Engine {
  const { store, files, download, routes, links, serverKey, clock, newId } = dependencies
  const watchers = createWatchers({
    look: id => get(id),
    clock,
    lookAgainMs: dependencies.alone ? null : lookAgainMs,
  })
  const insight = createInsight(store, routes)
  const journal = createJournal(dependencies.log, clock.now)
  const migrations = createMigrations({ ...dependencies, insert: record => driver.insert(record) })
  const uploads = createUploads(store, files, routes)
  let performer: Performer | null = null
  const driver = createDriver({
    ...dependencies,
    perform: (effect, record, leaseUntil) => performerOf().perform(effect, record, leaseUntil),
    abort: (effects, reason) => performerOf().abort(effects, reason),
    interrupt: effects => performerOf().interrupt(effects),
    discard: (record, attempt) => performerOf().discard(record, attempt),
    dropUnknown: (record, event) => dropUnknown(files, record, event),
    insight,
    journal,
    migrations,
    changed: watchers.changed,
  })

  function performerOf(): Performer {
    const secretOf = (id: string) => markerSecret(serverKey, id)
    performer ??= createPerformer({ ...dependencies, uploads, markerSecret: secretOf, hasLost, now: driver.now })
    return performer
  }

  async function hasLost(id: string, attemptId: string): Promise<boolean> {
    const attempt = (await store.get(id))?.record.attempts.find(candidate => candidate.id === attemptId)
    return attempt !== undefined && isLoser(attempt)
  }

  const { convertHeic = refuseHeic, keepLocation = false, retention = everything } = dependencies
  const inputs = { store, files, download, newId, now: driver.now, convertHeic, keepLocation }
  const report = () => insight.report(driver.now())
  const warmer = createWarmer({ ...dependencies, now: driver.now, report, migrations: migrations.report, create })
  const keepWarm = createKeepWarm({ ...dependencies, now: driver.now, insight, warmer })
  const pendingFiles = createPendingFiles({ store, files, newId, now: driver.now })
  const orphans = createOrphans({ ...dependencies, now: driver.now })
  const janitor = createJanitor({ ...dependencies, retention, now: driver.now, pendingFiles, orphans })
  const turns = createTurns({
    ...dependencies,
    driver,
    migrations,
    turnMs: dependencies.turnMs ?? usualTurnMs,
    async keepHouse() {
      await migrations.judge()
      await keepWarm.look()
      await janitor.round()
    },
  })
  const deployments = everyDeployment(routes)
  const figures = createFigures({ store, files, driver, insight, journal, retention, deployments, clockNow: clock.now })
  let started: Promise<void> | null = null
  let stopped: Promise<void> | null = null
  let unwatch = () => {}

  const discard = (ids: readonly string[] = []) =>
    discardFiles(
      inputs,
      [...ids].map(id => ({ id })),
    )
  const once = createOnce({ serverKey, get: id => get(id), create, discard })

  async function create(request: CreateRequest, id: string = newId(), fingerprint?: string): Promise<StoredPrediction> {
    const route =
      routes.get(request.model) ??
      refuse(
        'deployment_missing',
        `There is no model "${request.model}". There are: ${[...routes.keys()].join(', ')}.`,
        { status: 404 },
      )
    const pinned = request.deployments === undefined ? null : [...new Set(request.deployments)]
    checkPinned(route, pinned)
    const { deployments, policy } = routeFor(routes, { id, model: request.model, route: pinned })
    const grantNow = () => grant(store, { deployments, policy }, request.owner, request.limits, driver.now())
    if (!deployments.some(deployment => canCarry(deployment, links, files))) {
      refuse(
        'no_route_for_bytes',
        `None of ${deployments.map(deployment => deployment.name).join(', ')} can be reached with this file without a public base URL or storage that it reaches.`,
        { status: 422 },
      )
    }
    if (request.webhook !== null) dependencies.checkWebhook?.(request.webhook.url)
    await checkRoom(files, retention)
    await grantNow()
    const limit = createLimit(clock, inputTimeoutMs, 'Fetching the input')
    const checked = await checkInput(inputs, route.model, request, limit.signal).finally(limit.done)
    const byClient = request.cancelAfterMs !== null && request.cancelAfterMs <= policy.deadlineMs
    const record = createRecord(
      {
        id,
        model: request.model,
        modelVersion: route.model.version,
        owner: request.owner,
        source: request.source,
        input: checked.input,
        files: checked.files,
        route: pinned,
        deadlineMs: byClient && request.cancelAfterMs !== null ? request.cancelAfterMs : policy.deadlineMs,
        deadlineBy: byClient ? 'client' : 'policy',
        webhook: request.webhook,
        ...(fingerprint !== undefined && { fingerprint }),
      },
      driver.now(),
    )
    try {
      for (const file of checked.used) {
        if (await store.holdFile(file, record.deadlineAt + filesHeldMs)) continue
        refuse('input_invalid', `File ${file} has just been removed; upload it again.`, { status: 422 })
      }
      const stored = await insert(record, grantNow)
      // Somebody else was first with this id: what came with this request is nobody's.
      const isOurs = JSON.stringify(stored.record.input) === JSON.stringify(record.input)
      if (isOurs) migrations.created(record)
      else await discard([...checked.added.map(file => file.id), ...(request.newFiles ?? [])])
      return stored
    } catch (error) {
      // Else the prediction may be there all the same, and need its files.
      if (isSureRefusal(error)) await discardFiles(inputs, checked.added)
      throw error
    }
  }

  /** Of several that are created at once, each gets what the ones before it have left. */
  async function insert(record: PredictionRecord, grantNow: () => Promise<Grant>): Promise<StoredPrediction> {
    for (let tries = 1; ; tries++) {
      const { allowance, quota } = await grantNow()
      try {
        return await driver.insert(allowance === undefined ? record : { ...record, allowance }, quota)
      } catch (error) {
        if (tries === grantTries || !SurefootError.is(error) || error.failure.code !== 'budget_exceeded') throw error
      }
    }
  }

  /** A shadow run belongs to whoever owns its original. */
  async function isOf(owner: string, { owner: actual, shadowOf }: PredictionRecord): Promise<boolean> {
    if (shadowOf === undefined) return actual === owner
    return (await store.get(shadowOf))?.record.owner === owner
  }

  async function get(id: string, owner?: string): Promise<StoredPrediction | null> {
    const stored = driver.held(id) ?? (await store.get(id))
    if (stored !== null && owner !== undefined && !(await isOf(owner, stored.record))) return null
    if (stored === null || isTerminal(stored.record.status) || driver.now() < stored.record.deadlineAt) return stored
    return driver.apply(id, { type: 'timePassed' })
  }

  async function* watch(
    id: string,
    { signal, afterVersion = 0 }: { signal: AbortSignal; afterVersion?: number },
  ): AsyncGenerator<StoredPrediction> {
    let dirty = true
    let wake = () => {}
    const following = watchers.follow(id, () => {
      dirty = true
      wake()
    })
    const end = () => wake()
    signal.addEventListener('abort', end)
    try {
      let shown: StoredPrediction | null = null
      while (!signal.aborted) {
        dirty = false
        const stored = await following.look()
        if (stored === null) return
        if (shown === null ? stored.version > afterVersion : isNews(shown, stored)) {
          shown = stored
          yield stored
        }
        if (isTerminal(stored.record.status)) return
        if (!dirty && !signal.aborted) {
          const { promise, resolve } = Promise.withResolvers<void>()
          wake = resolve
          await promise
        }
      }
    } finally {
      following.stop()
      signal.removeEventListener('abort', end)
    }
  }

  const engine: Engine = {
    routes,
    create: request => (request.idempotencyKey === undefined ? create(request) : once(request, request.idempotencyKey)),
    get,
    list: query => store.list(query),
    cancel: id => driver.apply(id, { type: 'cancelRequested' }),
    resend: id => driver.apply(id, { type: 'resendRequested' }),
    report,
    figures: figures.read,
    obstacle: figures.obstacle,
    warmer,
    migrations: migrations.report,
    migrate: migrations.act,
    async health(name) {
      const deployment = findDeployment(routes, name)
      if (deployment?.provider.health === undefined) return null
      const limit = createLimit(clock, healthTimeoutMs, `Asking for the health of ${name}`)
      const io = { fetch: dependencies.fetch, signal: limit.signal }
      return await deployment.provider.health(deployment.target, io).finally(limit.done)
    },
    watch,
    removeFile: id => removeFile(inputs, id),
    async addFile(request) {
      await checkRoom(files, retention)
      return await addFile(inputs, request, request.signal)
    },
    async addPlace(request) {
      await checkRoom(files, retention)
      return await pendingFiles.add(request)
    },
    putFile: pendingFiles.put,
    findFile: pendingFiles.find,
    upload: uploads.put,
    turn: (work, options) => (started === null ? turns.run(work, options) : work(loopsTurn)),
    async hear(providerName, attemptId, secret, request) {
      const provider = findProvider(routes, providerName)
      if (provider?.hear === undefined || !isMarkerSecret(serverKey, attemptId, secret))
        refuse('input_invalid', 'No such webhook.', { status: 404 })
      const id = await store.predictionOf(attemptId)
      if (id === null) return refuse('input_invalid', 'No such attempt.', { status: 404 })
      const attempt = (await get(id))?.record.attempts.find(candidate => candidate.id === attemptId)
      const deployment = attempt === undefined ? undefined : findDeployment(routes, attempt.deployment)
      // The secret is the attempt's: at the address of a provider that signs nothing it would prove too much.
      if (deployment !== undefined && deployment.providerName !== providerName)
        refuse('input_invalid', 'No such webhook.', { status: 404 })
      const to = { attemptId, target: deployment?.target ?? null }
      const body = await request.body()
      const limit = createLimit(clock, provider.limits.callTimeoutMs, 'Verifying the webhook')
      const heard = await provider
        .hear({ headers: request.headers, body }, { fetch: dependencies.fetch, signal: limit.signal }, driver.now(), to)
        .finally(limit.done)
      const cost = deployment === undefined ? null : provider.cost(heard.observation, deployment.target)
      const seen = await withUpload(uploads, attemptId, { observation: heard.observation, cost })
      const event = { type: 'heard', attempt: attemptId, handle: heard.handle, seen } as const
      // By attempt: what one run's address brings must not make another's webhook look like a repetition.
      const delivery = heard.deliveryId === null ? null : `${providerName}:${attemptId}:${heard.deliveryId}`
      await driver.apply(id, event, delivery)
    },
    start() {
      started ??= migrations
        .start()
        .then(driver.start)
        .then(() => {
          unwatch = store.watch(change => watchers.changed(change.id))
          if (dependencies.keepsWarm ?? true) keepWarm.start()
          janitor.start()
        })
      return started
    },
    stop() {
      // A start that is still under way would set up its loops after they were ended.
      stopped ??= Promise.resolve(started)
        .catch(() => {})
        .then(migrations.stop)
        .then(keepWarm.stop)
        .then(janitor.stop)
        .then(() => {
          unwatch()
          return driver.stop()
        })
      return stopped
    },
  }
  return engine
}

/** What is started must also be finished: nothing new is taken on where there is too little room for that. */
async function checkRoom(files: FileStore, { spareBytes }: Retention): Promise<void> {
  const room = (await files.room?.()) ?? Number.POSITIVE_INFINITY
  if (room >= spareBytes) return
  refuse('storage_full', sayFull(room, spareBytes), {
    advice: 'Free space, lower the retention, or move the data folder to a larger disk.',
    status: 507,
  })
}

function refuseHeic(): never {
  refuse('input_invalid', 'HEIC photos cannot be read here; send a JPEG, PNG, WebP or AVIF.')
}

/** Refuses names that are not deployments of the model, before anything is stored. */
function checkPinned(route: Route, pinned: readonly string[] | null): void {
  if (pinned === null) return
  const names = deploymentsOf(route).map(({ name }) => name)
  const unknown = pinned.find(name => !names.includes(name))
  if (unknown === undefined && pinned.length > 0) return
  const what =
    unknown === undefined ? 'No deployment is named' : `"${unknown}" is not a deployment of ${route.model.name}`
  refuse('input_invalid', `${what}; there are ${names.join(', ')}.`, { status: 422 })
}

/** A newer version, or progress that is not written yet. */
function isNews(shown: StoredPrediction, stored: StoredPrediction): boolean {
  const before = shown.record.progress
  const after = stored.record.progress
  return stored.version > shown.version || after?.fraction !== before?.fraction || after?.stage !== before?.stage
}

/** Whether inputs can get to a deployment and outputs back, given whether providers can reach us or our storage. */
export function canCarry(deployment: Deployment, links: Links, { outside }: Pick<FileStore, 'outside'>): boolean {
  const { inputForms, outputForms } = deployment.provider.limits
  const reachable = outside !== undefined || links.input('probe', 'probe', 0) !== null
  const inward = inputForms.some(form => form !== 'url' || reachable)
  const outward = outputForms.some(form => form !== 'stored' || reachable)
  return inward && outward
}
