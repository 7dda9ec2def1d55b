import {
  createFixedWork,
  createRandom,
  createReplicateEmulator,
  type Emulator,
  serveEmulator,
} from '../../src/emulators/index.ts'
import { systemClock } from '../../src/engine/clock.ts'
import type { Case } from './cases.ts'

/** A job's own vendor on loopback, so that its bill is the job's. */
export interface Vendor {
  /** `http://127.0.0.1:port/v1` */
  readonly baseUrl: string
  readonly state: Emulator['state']
  close(): Promise<void>
}

const bootMs = 100
const workMs = 3_000
/** The vendor holds a `Prefer: wait` for a minute; here, where a run takes seconds instead of minutes, for one. */
const holdSeconds = 1

/** The vendor's API with a job's faults, on real time: a run takes 3.4 s and delivers `output`. */
export async function openVendor(
  output: Uint8Array<ArrayBuffer>,
  job: Pick<Case, 'faults' | 'faultsForMs' | 'outageMs'>,
): Promise<Vendor> {
  const emulator = createReplicateEmulator({
    clock: systemClock,
    random: createRandom(1),
    work: createFixedWork({
      clock: systemClock,
      durationMs: workMs,
      steps: 15,
      name: 'scene.ply',
      mediaType: 'application/octet-stream',
      bytes: output,
    }),
    faults: job.faults,
    bootMs,
  })
  const { origin, close } = await serveEmulator(inWeather(emulator, job))
  return { baseUrl: `${origin}/v1`, state: emulator.state, close }
}

/** Faults that last a time instead of a number of requests. */
function inWeather(emulator: Emulator, { faultsForMs, outageMs }: Pick<Case, 'faultsForMs' | 'outageMs'>): Emulator {
  let outageUntil: number | null = null
  let lifting = false
  return {
    ...emulator,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const isCreate = request.method === 'POST' && pathname.endsWith('/predictions')
      if (isCreate && faultsForMs !== undefined && !lifting) {
        lifting = true
        setTimeout(() => emulator.setFaults([]), faultsForMs).unref()
      }
      const isStatus = request.method === 'GET' && /\/predictions\/\w+$/.test(pathname)
      if (isStatus && outageMs !== undefined) {
        outageUntil ??= performance.now() + outageMs
        if (performance.now() < outageUntil)
          return Response.json({ detail: 'Service unavailable', status: 503 }, { status: 503 })
      }
      return emulator.fetch(isCreate && request.headers.has('prefer') ? holdLess(request) : request)
    },
  }
}

function holdLess(request: Request): Request {
  const headers = new Headers(request.headers)
  headers.set('prefer', `wait=${holdSeconds}`)
  return new Request(request, { headers })
}
