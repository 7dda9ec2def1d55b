import type { Random } from '../core/clock.ts'
import { defaultPolicy, type Policy } from '../core/policy.ts'
import { isEnded, isTerminal, type PredictionRecord } from '../core/prediction.ts'
import type { CreateRequest, Route } from '../engine/contract.ts'
import { createOrphans, type OrphansDependencies } from '../engine/orphans.ts'
import type { FileStore } from '../files/contract.ts'
import type { Provider } from '../providers/contract.ts'
import type { Store } from '../store/contract.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { createSimulatedClock, type SimulatedClock, settle } from './clock.ts'
import { createMemoryFiles } from './memory-files.ts'
import { createMemoryStore } from './memory-store.ts'
import { createRandom, createSeededIds } from './random.ts'
import { createRules, type Rules } from './rules.ts'
import { createEmulatedSite, createNetwork, type EmulatedSite } from './simulation-emulated-site.ts'
import { createFront } from './simulation-front.ts'
import { createFunctions, cronMs } from './simulation-functions.ts'
import { createEngines, type Host } from './simulation-host.ts'
import { createProcess, failing, type Process } from './simulation-process.ts'
import { createScriptedSite, type Site, type SiteSetup } from './simulation-sites.ts'
import { chooseVendors, type VendorName } from './simulation-vendors.ts'
import { textModel } from './text-model.ts'

/**
 * A whole gateway in virtual time: three engines with clocks of their own, or none and a process for each request, on one
 * store, two scripted providers and the real adapters of one or two vendors on their emulators, clients that create and
 * cancel, processes that die or freeze between any two steps, a store that fails. One seed decides everything. Safety rules are checked at every write and
 * every start; then the faults stop, everything must settle, and the vendors' bills are compared with what is recorded.
 */
export interface SimulationOptions {
  readonly seed: number
  readonly predictions: number
  /** Switches all faults off, for a baseline. Default: on. */
  readonly faults?: boolean
  /** `memory` is several times as fast, for long runs; its store passes the same suite. Default: `sqlite`. */
  readonly store?: 'sqlite' | 'memory'
  /** Between the scripted providers, in order of preference. Default: the seed chooses. */
  readonly vendors?: readonly VendorName[]
  /** No engine ever runs: requests and a cron drive everything, see `createFunctions`. Default false. */
  readonly serverless?: boolean
}

export interface SimulationResult {
  readonly seed: number
  readonly predictions: number
  readonly statuses: { readonly [status: string]: number }
  /** Failure codes of the failed ones. */
  readonly failures: { readonly [code: string]: number }
  readonly attempts: number
  /** Runs begun at each deployment. */
  readonly paidStarts: { readonly [deployment: string]: number }
  /** By emulated vendor: the faults that befell starts, and how often. */
  readonly faults: { readonly [vendor: string]: { readonly [fault: string]: number } }
  /** The same at all of them, per prediction that has ended. */
  readonly paidStartsPerPrediction: number
  readonly crashes: number
  readonly freezes: number
  /** Turns that drove it; 0 where loops did. */
  readonly turns: number
  /** Calls of the store, and polls of the providers, by all processes. */
  readonly storeCalls: number
  readonly polls: number
  readonly virtualSeconds: number
}

const basePolicy: Policy = {
  ...defaultPolicy,
  deadlineMs: 10 * 60_000,
  queueMs: 60_000,
  bootMs: 60_000,
  stallMs: 30_000,
  lastStageMs: 20_000,
  runMs: 120_000,
  unknownMs: 30_000,
  collectMs: 60_000,
  releaseMs: 120_000,
}
/** What whoever drives a simulation promises. */
interface Bounds {
  /** Whoever drives a record can be late by so much: by its crash, and the pick-up after it. */
  readonly tickMs: number
  /** Nothing may still run or be looked for this long after the faults stopped. */
  readonly livenessMs: number
  /** So much later a user's webhook whose tries were lost has come. */
  readonly newsMs: number
}
/** A webhook that was lost three times: its fourth try comes after half an hour. */
const loops: Bounds = { tickMs: 20_000, livenessMs: 2 * basePolicy.deadlineMs, newsMs: 3_600_000 }
/**
 * The cron that would have come in time may be killed, and the next ones too; without faults it is late by its pace. A
 * process that is killed while it sends a webhook has spent a try: five come within three hours, six within eight.
 */
const turns: Bounds = {
  tickMs: 5 * cronMs,
  livenessMs: basePolicy.deadlineMs + basePolicy.releaseMs + 4 * cronMs,
  newsMs: 8 * 3_600_000,
}
/** So many predictions may be open at once: more than there are places, so that some wait. */
const maxOpen = 40
/** Every process's clock is wrong by up to this much. */
const maxSkewMs = 2_000

/** Throws an error that says how to replay it when a rule is broken or something does not settle. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  try {
    return await run(options)
  } catch (error) {
    const { seed, predictions, faults = true, store = 'sqlite', vendors, serverless = false } = options
    const chosen = vendors === undefined ? '' : ` --vendors ${vendors.join(',')}`
    const flags = `${serverless ? ' --serverless' : ''}${faults ? '' : ' --faults none'}${store === 'sqlite' ? '' : ` --store ${store}`}${chosen}`
    const replay = `npm run simulate -- --seed ${seed} --predictions ${predictions}${flags}`
    const message = error instanceof Error ? error.message : String(error)
    throw new Error(`Simulation with seed ${seed} failed: ${message}. Replay: ${replay}`, { cause: error })
  }
}

async function run({
  seed,
  predictions,
  faults = true,
  store: kind = 'sqlite',
  vendors,
  serverless = false,
}: SimulationOptions): Promise<SimulationResult> {
  const random = createRandom(seed)
  // Nothing here waits for anything but promises: no disk, no thread, no network.
  const clock = createSimulatedClock(undefined, 1)
  const startedAt = clock.now()
  const weather = { faults }
  const policy = choosePolicy(random)
  const store = await openStore(kind, clock)
  const files = createMemoryFiles()
  const { tickMs, livenessMs, newsMs } = serverless ? turns : loops
  const rules = createRules({ policy, now: clock.now, hasFile: files.has, tickMs })
  const setup = { clock, random, weather }
  const calls = { store: 0, polls: 0 }
  const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]
  const storedFiles = { ...files, ...slowFiles(files, setup) }
  const front = createFront({ ...setup, connect: () => host.connect() })
  const chosen = chooseVendors(random, serverless)
  const emulated: EmulatedSite[] = []
  for (const name of vendors ?? chosen) emulated.push(await createEmulatedSite(name, { ...setup, send: front.send }))
  const network = createNetwork(emulated)
  const sites: readonly Site[] = [
    createScriptedSite('first', true, setup),
    ...emulated,
    createScriptedSite('last', false, setup),
  ]
  const held = sites.find(site => site.deploy(network.fetch).provider.limits.heldStart)
  if (serverless && held !== undefined)
    throw new Error(`${held.name} lives on held connections, which end with the request`)
  function routes(fetch: typeof globalThis.fetch): ReadonlyMap<string, Route> {
    const deployments = sites.map(site => {
      const deployment = site.deploy(fetch)
      return { ...deployment, provider: watched(deployment.provider, rules, calls) }
    })
    return new Map([[textModel.name, { model: textModel, deployments, policy }]])
  }
  const receiver = createReceiver(random, weather)
  const newId = createSeededIds(random)
  let booted = 0

  function prepare(dress: (store: Store) => Store = plain => plain): Process {
    booted += 1
    return createProcess({
      name: `engine-${booted}`,
      skewMs: Math.round((random() * 2 - 1) * maxSkewMs),
      store: dress(observed(counted(store, calls), rules, random, weather)),
      files: storedFiles,
      ...network,
      routes,
      links: front.links,
      clock,
      random,
      newId,
      notify: receiver.notify,
    })
  }

  const host: Host = serverless ? createFunctions({ ...setup, prepare }) : await createEngines({ ...setup, prepare })
  const accepted: string[] = []
  let wishes = 0

  while (accepted.length < predictions) {
    await clock.advance(Math.floor(random() * 3_000))
    // People who wait send nothing new: a queue that only grows would test the same wait over and over.
    while (rules.open() > maxOpen) await clock.advance(1_000)
    const ask = host.connect()
    const wish: CreateRequest = {
      model: textModel.name,
      owner: 'local',
      source: 'api',
      input: { prompt: `wish ${wishes++}` },
      files: {},
      cancelAfterMs: random() < 0.05 ? 20_000 : null,
      webhook: random() < 0.2 ? { url: 'https://user.test/', events: ['start', 'completed'] } : null,
    }
    void ask(engine => engine.create(wish)).then(
      ({ record }) => {
        accepted.push(record.id)
        host.visit(record.id)
      },
      () => {},
    )
    await settle()
    if (!faults) continue
    const id = random() < 0.1 ? pick(accepted) : undefined
    if (id !== undefined) void ask(engine => engine.cancel(id), id).catch(() => {})
    if (random() < 0.05) for (const site of sites) site.mend()
    await host.harm()
  }

  weather.faults = false
  host.calm()
  for (const site of sites) {
    site.calm()
    if (faults) site.mend()
  }
  await untilSettled(clock, rules, livenessMs, newsMs)
  await removeOrphans({ store, files, alone: false, newId, now: clock.now, log: () => {} }, rules)
  rules.checkFiles(files.keys())
  const paidStarts: { [deployment: string]: number } = {}
  for (const site of sites) {
    const runs = await site.runs()
    rules.checkRuns(`text@${site.name}`, runs)
    paidStarts[`text@${site.name}`] = runs.length
  }
  rules.raise()
  await checkAccount(store, files, rules, accepted)
  receiver.check(rules.records())
  front.check()
  host.check()
  await shutDown(host, sites, clock)
  await store.close()
  return {
    ...summarise(rules.records(), paidStarts),
    faults: Object.fromEntries(emulated.map(({ name, faults }) => [name, Object.fromEntries(faults)])),
    seed,
    ...host.tally(),
    storeCalls: calls.store,
    polls: calls.polls,
    virtualSeconds: Math.round((clock.now() - startedAt) / 1000),
  }
}

/** Whoever took in an upload, or wrote an end, may have died before it could see that nobody needs the file. */
async function removeOrphans(dependencies: OrphansDependencies, rules: Rules): Promise<void> {
  const orphans = createOrphans(dependencies)
  // Each round looks at 200 files, far more than come of one prediction; after the last one nothing is looked at.
  for (const _ of rules.records()) await orphans.round()
}

async function openStore(kind: 'sqlite' | 'memory', { now }: SimulatedClock): Promise<Store> {
  return kind === 'memory' ? createMemoryStore(now) : await openSqliteStore({ path: ':memory:', now })
}

/** Hedging, money and what to do about lost starts differ from seed to seed. */
function choosePolicy(random: Random): Policy {
  return {
    ...basePolicy,
    hedges: random() < 0.3 ? 1 : 0,
    onUnknown: random() < 0.2 ? 'fail' : 'resubmit',
    budget: random() < 0.3 ? 0.3 : null,
  }
}

/** The provider as it is; the rules see every start, and polls are counted. */
function watched(provider: Provider, rules: Rules, calls: { polls: number }): Provider {
  const { poll } = provider
  return {
    ...provider,
    ...(poll && {
      poll(handle, io) {
        calls.polls += 1
        return poll.call(provider, handle, io)
      },
    }),
    start(job, io) {
      rules.starting(job.marker.attemptId)
      return provider.start(job, io)
    },
  }
}

/** The store as it is, whose calls are counted. */
function counted(store: Store, calls: { store: number }): Store {
  return new Proxy(store, {
    get(target, key) {
      const verb: unknown = Reflect.get(target, key)
      if (typeof verb !== 'function') return verb
      return (...args: unknown[]) => {
        calls.store += 1
        return verb.apply(target, args)
      }
    },
  })
}

/** The rules see every version that is committed, whether or not the process gets to know. */
function observed(store: Store, rules: Rules, random: Random, weather: { readonly faults: boolean }): Store {
  const commit: Store['commit'] = async changes => {
    const outcomes = await store.commit(changes)
    for (const [index, { record, version }] of changes.entries())
      if (outcomes[index] === 'committed') rules.check(record, version + 1)
    return outcomes
  }
  return { ...store, commit: failing(commit, random, weather, 0.01) }
}

/** Files that take their time to be safe, so that predictions end while one is whole and nobody knows of it yet. */
function slowFiles(files: FileStore, { clock, random, weather }: SiteSetup): Partial<FileStore> {
  const put: FileStore['put'] = async (key, body, options) => {
    const result = await files.put(key, body, options)
    await new Promise<void>(resolve => void clock.after(random() * 2_000, resolve))
    return result
  }
  return {
    put: failing(put, random, weather, 0.01),
    open: failing(files.open, random, weather, 0.005),
  }
}

/** Where users hear of their predictions: takes most of what comes, the rest at the second try. */
function createReceiver(random: Random, weather: { readonly faults: boolean }) {
  const tried = new Set<string>()
  const taken = new Set<string>()
  return {
    async notify(_record: PredictionRecord, notification: string): Promise<boolean> {
      const fails = weather.faults && !tried.has(notification) && random() < 0.2
      tried.add(notification)
      if (!fails) taken.add(notification)
      return !fails
    },
    check(records: readonly PredictionRecord[]): void {
      for (const { id, webhook } of records) {
        if (webhook === null) continue
        const last = webhook.queue.at(-1)
        if (last?.event !== 'completed') throw new Error(`the end of prediction ${id} was not announced`)
        for (const entry of webhook.queue)
          if (entry.state !== 'delivered' || !taken.has(entry.id))
            throw new Error(`"${entry.event}" of prediction ${id} is ${entry.state}, and its receiver knows better`)
      }
    },
  }
}

async function untilSettled(clock: SimulatedClock, rules: Rules, livenessMs: number, newsMs: number): Promise<void> {
  const stoppedAt = clock.now()
  await untilNoneIs(clock, stoppedAt + livenessMs, rules, isWorking)
  await untilNoneIs(clock, stoppedAt + livenessMs + newsMs, rules, record => record.settledAt === null)
}

async function untilNoneIs(
  clock: SimulatedClock,
  end: number,
  rules: Rules,
  isOpen: (record: PredictionRecord) => boolean,
): Promise<void> {
  const open = () => (rules.open() === 0 ? [] : rules.records().filter(isOpen))
  const startedAt = clock.now()
  while (open().length > 0 && clock.now() < end) await clock.advance(5_000)
  rules.raise()
  const [first] = open()
  if (first === undefined) return
  const waited = (end - startedAt) / 1000
  throw new Error(
    `${open().length} predictions are still open after ${waited} s without faults: ${JSON.stringify(first)}`,
  )
}

function isWorking({ status, attempts }: PredictionRecord): boolean {
  return !isTerminal(status) || attempts.some(({ state, release }) => !isEnded(state) || release === 'open')
}

/** What the rules saw is what the store holds, nothing that was accepted is missing, and what succeeded can be had. */
async function checkAccount(store: Store, files: FileStore, rules: Rules, accepted: readonly string[]): Promise<void> {
  const stored = await store.list({ owner: null, limit: 1_000_000 })
  const seen = new Map(rules.records().map(record => [record.id, JSON.stringify(record)]))
  const ids = new Set(stored.map(({ record }) => record.id))
  for (const id of accepted) if (!ids.has(id)) throw new Error(`prediction ${id} was accepted and is not in the store`)
  for (const { record } of stored) {
    if (seen.get(record.id) !== JSON.stringify(record)) throw new Error(`prediction ${record.id} is stored differently`)
    if (!isTerminal(record.status)) throw new Error(`prediction ${record.id} settled as ${record.status}`)
    if (record.output === null) continue
    const words = await new Response((await files.open(record.output.key))?.body).text()
    if (words !== 'done') throw new Error(`the output of prediction ${record.id} says "${words}"`)
  }
}

/** Ends everything; what then still waits for the clock has leaked. */
async function shutDown(host: Host, sites: readonly Site[], clock: SimulatedClock): Promise<void> {
  let isOver = false
  void host.stop().then(() => (isOver = true))
  for (let waited = 0; !isOver; waited++) {
    if (waited === 120) throw new Error('something is still under way two minutes after the end')
    await clock.advance(1_000)
  }
  for (const site of sites) site.close()
  // Calls that hang at the providers end by themselves.
  await clock.advance(10 * 60_000)
  if (clock.waiting > 0) throw new Error(`${clock.waiting} timers are left after the end`)
}

function summarise(records: readonly PredictionRecord[], paidStarts: SimulationResult['paidStarts']) {
  const starts = Object.values(paidStarts).reduce((sum, count) => sum + count, 0)
  return {
    predictions: records.length,
    statuses: count(records.map(({ status }) => status)),
    failures: count(records.flatMap(({ failure }) => failure?.code ?? [])),
    attempts: records.reduce((sum, { attempts }) => sum + attempts.length, 0),
    paidStarts,
    paidStartsPerPrediction: Math.round((1000 * starts) / records.length) / 1000,
  }
}

function count(words: readonly string[]): { [word: string]: number } {
  const counts: { [word: string]: number } = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}
