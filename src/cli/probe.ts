import { setTimeout as pause } from 'node:timers/promises'
import type { LoadedConfig } from '../config/load-config.ts'
import type { Placed } from '../doctor/examine.ts'
import { about, problem, type Reported, usd } from '../doctor/finding.ts'
import { worstCase } from '../doctor/judge-price.ts'
import { judgeProbe } from '../doctor/judge-probe.ts'
import { isBilled } from '../engine/insight.ts'
import type { DeploymentJson } from '../http/provider-shapes.ts'
import type { Finding } from '../providers/contract.ts'
import { samplePhoto } from './assets.ts'
import type { Trial } from './comparison.ts'
import { type Connection, connect } from './connection.ts'
import { formatDuration } from './format.ts'
import { type Io, say } from './io.ts'
import { createLog } from './log.ts'
import { maySpend } from './may-spend.ts'
import { createProgressBoard, type ProgressBoard } from './progress-board.ts'
import { runLane } from './trials.ts'

export interface ProbeOptions {
  readonly places: readonly Placed[]
  /** Spend money without asking. */
  readonly yes: boolean
  readonly interrupted: AbortSignal
}

/**
 * Runs the bundled photo on every place, pinned to it, through the gateway where one runs, and says what came of it. Asks
 * first where that costs money; where the answer is no, nothing is run and nothing found.
 */
export async function probe(io: Io, config: LoadedConfig, options: ProbeOptions): Promise<Reported[]> {
  const log = createLog(io.stderr, config.logLevel)
  const connection = await connect({ config, log, signal: options.interrupted })
  try {
    const findings: Reported[] = []
    const places: Placed[] = []
    for (const place of options.places) {
      const obstacle = await findObstacle(connection, config, place)
      if (obstacle === null) places.push(place)
      else findings.push(...about(place.deployment.name, [obstacle]))
    }
    return [...findings, ...(await run(io, connection, { ...options, places }))]
  } finally {
    await connection.close()
  }
}

/** What would make a probe wait for long, or fail for a reason that is none of the provider's. */
async function findObstacle(
  connection: Connection,
  { publicUrl, database }: LoadedConfig,
  place: Placed,
): Promise<Finding | null> {
  const { name, provider } = place.deployment
  if (connection.url === null && publicUrl !== null && database === null && !provider.limits.thisHostOnly) {
    const words = `It was not probed: its workers would call ${publicUrl}, and no gateway is running there.`
    return problem('probe-skipped', words, 'Start surefoot serve and run this again.')
  }
  const closed = describePause(name, await breakerOf(connection, place), Date.now())
  return closed === null || 'waitMs' in closed ? null : closed
}

async function breakerOf(
  { client }: Connection,
  { deployment: { name }, route }: Placed,
): Promise<DeploymentJson['breaker'] | undefined> {
  const { deployments } = await client.providers(route.model.name, 'cost')
  return deployments.find(deployment => deployment.name === name)?.breaker
}

/** All pauses but those after seven failures in a row, or after two refusals of an account. */
const longestWaitMs = 5 * 60_000

/**
 * What a probe does about a breaker: null where nothing is in its way, and what to wait, with a line that says so, where the
 * pause is soon over. Who asks for a probe has often just mended what failed, by earlier probes among others; the first
 * attempt after the pause goes through. A long pause is told instead. `now` in milliseconds since 1970.
 */
export function describePause(
  name: string,
  breaker: DeploymentJson['breaker'] | undefined,
  now: number,
): Finding | { readonly waitMs: number; readonly line: string } | null {
  if (breaker?.state !== 'open' || breaker.until === null) return null
  const waitMs = Date.parse(breaker.until) - now
  const until = breaker.until.slice(0, 19).replace('T', ' ')
  const why = breaker.why?.replace(/\.$/, '')
  if (waitMs <= longestWaitMs) {
    const line = `${name}: nothing goes there until ${until} UTC (${why}). The probe waits ${formatDuration(waitMs)} for that.`
    return { waitMs: Math.max(0, waitMs), line }
  }
  return problem(
    'probe-skipped',
    `It was not probed: nothing goes there until ${until} UTC (${why}).`,
    'Run this again after then; what has been mended meanwhile does not end the pause, its time does.',
  )
}

async function run(io: Io, connection: Connection, { places, yes, interrupted }: ProbeOptions): Promise<Reported[]> {
  if (places.length === 0) return []
  const billed = places.filter(({ deployment }) => isBilled(deployment.provider))
  for (const place of billed) say(io.stderr, costOf(place))
  if (billed.length > 0 && !(await maySpend(io, yes))) {
    say(io.stderr, 'Nothing was run.')
    return []
  }
  const board = createProgressBoard(
    io,
    places.map(({ deployment }) => deployment.name),
  )
  try {
    const found = places.map(async place =>
      about(place.deployment.name, await probePlace(connection, board, place, interrupted)),
    )
    return (await Promise.all(found)).flat()
  } finally {
    board.end()
  }
}

/** The policy may try more than once; each attempt may take the whole run limit. */
function costOf({ deployment: { name, provider, target }, route }: Placed): string {
  const { policy } = route.pinnable ?? route
  const price = provider.pricePerSecond(target)
  const most = price === null ? null : worstCase(price, policy) * policy.attempts
  const bounded = most === null ? policy.budget : Math.min(most, policy.budget ?? most)
  const words = bounded === null ? 'how much is not known' : `at most ${usd(bounded)} USD, usually far less`
  return `A probe of ${name} costs money: ${words}.`
}

async function probePlace(
  connection: Connection,
  board: ProgressBoard,
  place: Placed,
  interrupted: AbortSignal,
): Promise<Finding[]> {
  const {
    deployment: { name, provider },
    route,
  } = place
  const closed = describePause(name, await breakerOf(connection, place), Date.now())
  if (closed !== null && 'waitMs' in closed) {
    board.note(closed.line)
    await pause(closed.waitMs, undefined, { signal: interrupted }).catch(() => {})
  }
  const trials: Trial[] = []
  await runLane(
    connection,
    board,
    { model: route.model.name, photos: [samplePhoto], runs: 1 },
    name,
    interrupted,
    trials,
  )
  const [trial] = trials
  if (trial === undefined) return []
  const { id, failure, attempts } = trial
  if (id === null) {
    const advice =
      'See the findings above; a gateway that runs has the config of its start, so start it again after a change.'
    return [problem('probe', `The probe was refused before anything was started: ${failure?.message}`, advice)]
  }
  const prediction = await connection.persist(client => client.get(id))
  const { usualBytes } = route.model.output
  const ways = { ...provider.limits, ...(usualBytes === undefined ? {} : { usualBytes }) }
  return [judgeProbe({ prediction, attempts }, ways)]
}
