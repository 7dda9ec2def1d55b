import { setTimeout as pause } from 'node:timers/promises'
import sharp from 'sharp'
import manifest from '../package.json' with { type: 'json' }
import { sharpVertexFloats, writeSharpPly } from '../src/splat/sharp-layout.ts'
import { type Case, createCases, leftOut } from './faults/cases.ts'
import { clients } from './faults/clients.ts'
import type { Attempt, Contender } from './faults/contender.ts'
import { matrixOf, type Outcome, tableOf } from './faults/score.ts'
import { surefoots } from './faults/surefoot.ts'
import { openVendor, type Vendor } from './faults/vendor.ts'

/** How long a caller is watched; who has no ending by then still waits. */
const watchMs = 60_000
/** How many faults are thrown at the same time, each at all contenders. */
const atOnce = 12

/** The clients' packages, for their versions. */
const packages = ['replicate', 'ai', '@ai-sdk/replicate', '@fal-ai/client'] as const
const contenders = [...clients, ...surefoots]

const legend = `Every job has an emulated Replicate of its own on loopback, in real time: a run takes 3.4 s, a \`Prefer: wait\` is held for 1 s.
A fault strikes the job's first run, or lasts two or three seconds, or is for good (bad token, missing model). All clients with
their defaults; fal's speaks its own queue protocol, which a translator of its paths puts in front of the same emulator.
"Surefoot, two providers" has a second, healthy one behind the first.

RIGHT ENDING: within ${watchMs / 1000} s the caller has the file, byte for byte as the model made it, or an error that it can catch; no run
goes on after that uncancelled, where it could be cancelled; and where the struck run could deliver, no second one was paid.
PAID SUBMITS: runs that the emulators began, divided by the jobs that ended with the file: over all jobs, and over those whose
struck run could deliver, or was not begun at all.
LEFT RUNNING: runs that went on when the caller had its ending (or when the watch was over), and that nobody cancelled.`

/**
 * The scoreboard: every fault of the catalogue that Replicate can commit, thrown at the published clients, at a poll loop
 * as apps have it, and at Surefoot. Arguments are parts of names of faults; default all.
 */
export async function run(args: string[]): Promise<void> {
  const jobs = createCases().filter(({ name }) => args.length === 0 || args.some(part => name.includes(part)))
  const photo = new Uint8Array(
    await sharp({ create: { width: 64, height: 48, channels: 3, background: '#a63' } })
      .jpeg()
      .toBuffer(),
  )
  const output = createSplat()
  const outcomes = new Map(contenders.map(({ name }): [string, Outcome[]] => [name, []]))
  const queue = [...jobs]
  const work = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const facing = contenders.filter(({ takes }) => takes?.(job.name) ?? true)
      const ended = await Promise.all(facing.map(contender => face(contender, job, photo, output)))
      for (const [index, { name }] of facing.entries()) {
        const outcome = ended[index]
        if (outcome !== undefined) outcomes.get(name)?.push(outcome)
      }
      process.stderr.write(`${jobs.length - queue.length} of ${jobs.length}: ${job.name}\n`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const of = (name: string) => outcomes.get(name) ?? []
  const names = contenders.map(({ name }) => name)
  const { devDependencies } = manifest
  const versions = packages.map(name => `${name} ${devDependencies[name]}`).join(', ')
  console.log(`${legend}\n\n${versions}\n\n${tableOf(names, of)}\n\n${matrixOf(names, jobs, of)}\n`)
  const reasons = Object.entries(leftOut).map(([name, why]) => `${name} (${why})`)
  console.log(`Not thrown: ${reasons.join(', ')}. "-": the client's protocol has no such words.`)
}

async function face(
  contender: Contender,
  job: Case,
  photo: Uint8Array<ArrayBuffer>,
  output: Uint8Array<ArrayBuffer>,
): Promise<Outcome> {
  const struck = await openVendor(output, job)
  const spare = await openVendor(output, { faults: [] })
  const vendors = [struck, spare]
  const started = performance.now()
  let attempt: Attempt | null = null
  try {
    attempt = await contender.begin({ photo, baseUrl: struck.baseUrl, spareUrl: spare.baseUrl })
    const ending = await Promise.race([
      judge(attempt.ending, output),
      pause(watchMs, 'waiting' as const, { ref: false }),
    ])
    const seconds = (performance.now() - started) / 1000
    const live = runsOf(vendors).filter(isLive)
    // Who cancels does so now at the latest; what nobody cancels goes on, or is seen to its end.
    const over = started + watchMs
    if (attempt.settled !== undefined)
      await Promise.race([attempt.settled, pause(over - performance.now(), null, { ref: false })])
    else while (runsOf(vendors).some(isLive) && performance.now() < over) await pause(100)
    const runs = new Map(runsOf(vendors).map(entry => [entry.id, entry.status]))
    const left = live.filter(({ id }) => runs.get(id) !== 'canceled').length
    return { job, ending, seconds, submits: runs.size, left }
  } finally {
    await attempt?.close?.()
    await Promise.all(vendors.map(vendor => vendor.close()))
  }
}

async function judge(ending: Promise<unknown>, output: Uint8Array): Promise<Outcome['ending']> {
  try {
    const got = await ending
    return got instanceof Uint8Array && Buffer.compare(got, output) === 0 ? 'output' : 'wrong'
  } catch {
    return 'error'
  }
}

function runsOf(vendors: readonly Vendor[]) {
  // Two emulators with the same dice give the same ids.
  return vendors.flatMap(({ baseUrl, state }) =>
    state().ledger.map(({ id, status }) => ({ id: `${baseUrl} ${id}`, status })),
  )
}

function isLive({ status }: { readonly status: string }): boolean {
  return status === 'starting' || status === 'processing'
}

/** A small scene in SHARP's layout that passes every check. */
function createSplat(): Uint8Array<ArrayBuffer> {
  const count = 2_000
  const vertices = new Float32Array(count * sharpVertexFloats)
  for (let index = 0; index < count; index++) {
    const place = [(index % 50) / 25 - 1, Math.floor(index / 50) / 20 - 1, 2]
    vertices.set([...place, 0.2, 0.1, 0, 2, -4, -4, -4, 1, 0, 0, 0], index * sharpVertexFloats)
  }
  const scene = { vertices, image: { width: 64, height: 48 }, focalPx: 60, disparityQuantiles: [0.4, 0.6] } as const
  return new Uint8Array(Buffer.concat([...writeSharpPly(scene)]))
}
