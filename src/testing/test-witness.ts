import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { FaultName } from '../emulators/catalogue.ts'
import { asFetch, type Emulator } from '../emulators/contract.ts'
import { createFixedWork } from '../emulators/works.ts'
import { createSimulatedClock, type SimulatedClock, settle } from './clock.ts'
import { createRandom } from './random.ts'
import type { EmulatorParts } from './test-prediction.ts'

/** What an account of one run is told about: with which fault, and what the caller does. */
export interface Told {
  readonly fault?: FaultName
  readonly withCancel?: boolean
  /** What runs is our kit. Default false. */
  readonly kit?: boolean
}

/** A caller of an emulator who writes down, line by line, everything that can be seen from outside. */
export interface Witness<E extends Emulator> {
  readonly emulator: E
  readonly clock: SimulatedClock
  readonly lines: string[]
  /** What an exchange gives, and after how long; what does not come within a minute never comes. */
  wait<T>(exchange: (signal: AbortSignal) => Promise<T>): Promise<{ readonly got: T | string; readonly after: string }>
  /** One request, its answer as one line. */
  ask(url: string, init: RequestInit): Promise<string>
  /** Downloads an output, and writes down what came. */
  download(url: string, init?: RequestInit): Promise<void>
  /** Everything that was seen. No timer may be left. */
  close(): string[]
}

interface Stage<E extends Emulator> {
  readonly fault: FaultName | undefined
  readonly emulator: (parts: EmulatorParts) => E
  /** What of a body that the vendor sends to us is written down. Default all of it. */
  readonly heard?: (body: string) => string
}

const ply = new TextEncoder().encode(
  `ply\nformat binary_little_endian 1.0\nelement vertex 2\nproperty float x\nend_header\n${'\0'.repeat(8)}`,
)

/** An emulator whose work makes a small scene, on simulated time, and its witness. */
export function createWitness<E extends Emulator>({ fault, heard = body => body, ...stage }: Stage<E>): Witness<E> {
  const clock = createSimulatedClock()
  const lines: string[] = []
  const parts: EmulatorParts = {
    clock,
    random: createRandom(1),
    work: createFixedWork({ clock, name: 'scene.ply', mediaType: 'application/octet-stream', bytes: ply }),
    faults: fault === undefined ? [] : [fault === 'output-slow' ? 'output-slow@20' : fault],
    async send(input, init) {
      const request = new Request(input, { ...init, duplex: 'half' } as RequestInit)
      const body = heard(await request.text())
      lines.push(`${request.method} ${new URL(request.url).pathname} ${body} at ${clock.now()}`)
      return new Response(null, { status: 200 })
    },
  }
  const emulator = stage.emulator(parts)

  async function wait<T>(exchange: (signal: AbortSignal) => Promise<T>): Promise<{ got: T | string; after: string }> {
    const began = clock.now()
    const stop = new AbortController()
    let open = true
    const done = exchange(stop.signal)
      .catch((error: unknown) => `broke: ${String(error)}`)
      .finally(() => {
        open = false
      })
    for (let waited = 0; waited < 60 && open; waited++) {
      await settle()
      if (open) await clock.advance(1000)
    }
    stop.abort(new Error('given up'))
    const got = await done
    return { got, after: `after ${clock.now() - began} ms` }
  }

  return {
    emulator,
    clock,
    lines,
    wait,
    async ask(url, init) {
      const { got, after } = await wait(async signal => {
        const response = await emulator.fetch(new Request(url, { ...init, signal }))
        return `${response.status} ${await response.text()}`
      })
      return `${got} ${after}`
    },
    async download(url, init) {
      const { got, after } = await wait(async signal => {
        const response = await asFetch(emulator)(url, { ...init, signal })
        const digest = createHash('sha256')
          .update(await response.bytes())
          .digest('hex')
        return `download ${response.status} ${response.headers.get('content-length')} ${digest}`
      })
      lines.push(`${got} ${after}`)
    },
    close() {
      emulator.close()
      expect(clock.waiting, 'timers left behind').toBe(0)
      return lines
    },
  }
}
