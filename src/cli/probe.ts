import type { LoadedConfig } from '../config/load-config.ts'
import type { Placed } from '../doctor/examine.ts'
import { about, problem, type Reported, usd } from '../doctor/finding.ts'
import { worstCase } from '../doctor/judge-price.ts'
import { judgeProbe } from '../doctor/judge-probe.ts'
import { isBilled } from '../engine/insight.ts'
import type { Finding } from '../providers/contract.ts'
import { samplePhoto } from './assets.ts'
import type { Trial } from './comparison.ts'
import { type Connection, connect } from './connection.ts'
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

/** What would make a probe wait, or fail for a reason that is none of the provider's. */
async function findObstacle(
  { client, url }: Connection,
  { publicUrl, database }: LoadedConfig,
  { deployment: { name, provider }, route }: Placed,
): Promise<Finding | null> {
  if (url === null && publicUrl !== null && database === null && !provider.limits.thisHostOnly) {
    const words = `It was not probed: its workers would call ${publicUrl}, and no gateway is running there.`
    return problem('probe-skipped', words, 'Start surefoot serve and run this again.')
  }
  const { deployments } = await client.providers(route.model.name, 'cost')
  const breaker = deployments.find(deployment => deployment.name === name)?.breaker
  if (breaker?.state !== 'open') return null
  const until = breaker.until?.slice(0, 19).replace('T', ' ')
  const words = `It was not probed: nothing goes there until ${until} UTC (${breaker.why?.replace(/\.$/, '')}).`
  return problem('probe-skipped', words, 'Mend that, and run this again after then.')
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
  { deployment: { name, provider }, route }: Placed,
  interrupted: AbortSignal,
): Promise<Finding[]> {
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
