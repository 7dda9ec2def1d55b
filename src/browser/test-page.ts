import type { PredictionStatus } from '../core/prediction.ts'
import type { PredictionJson } from '../http/shapes.ts'
import { origin, setup, type TestFront } from '../http/test-support.ts'
import { type ClientOptions, createClientIn } from './create-client.ts'
import type { Surroundings } from './surroundings.ts'

/** What stands between the page and the gateway; null lets a request through. */
export type Fault = (request: Request) => Response | null | Promise<Response | null>

/** A page before a real front, on one simulated clock, with a network that the test breaks as it likes. */
export async function setupPage(options: ClientOptions = {}) {
  const front: TestFront = await setup()
  const cuts = new Set<AbortController>()
  const wakers = new Set<() => void>()
  const requests: string[] = []
  let sleptMs = 0
  const page = {
    fault: (() => null) as Fault,
    isHidden: false,
  }

  const around: Surroundings = {
    ...front.clock,
    now: () => front.clock.now() + sleptMs,
    random: () => 0.5,
    isHidden: () => page.isHidden,
    onWake(run) {
      wakers.add(run)
      return () => wakers.delete(run)
    },
    async fetch(input, init) {
      const request = new Request(new URL(String(input), origin), init)
      const resumed = request.headers.get('last-event-id')
      requests.push(`${request.method} ${new URL(request.url).pathname}${resumed === null ? '' : ` after ${resumed}`}`)
      const aborted = new Promise<never>((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason)),
      )
      const answer = async () => (await page.fault(request.clone())) ?? front.send(request.url, init)
      const response = await Promise.race([answer(), aborted])
      if (response.body === null) return response
      const cut = new AbortController()
      cuts.add(cut)
      const signal = AbortSignal.any([cut.signal, request.signal])
      return new Response(response.body.pipeThrough(new TransformStream(), { signal }), response)
    },
  }

  return Object.assign(page, {
    front,
    around,
    requests,
    client: createClientIn(around, { url: origin, ...options }),
    /** Lets pass `ms`, and everything settle that was begun. */
    async pass(ms = 0): Promise<void> {
      await front.clock.advance(ms)
      for (let turn = 0; turn < 4; turn++) await front.clock.advance(0)
    },
    /** The network breaks whatever is being read. */
    cut(): void {
      for (const each of cuts) each.abort(new TypeError('network error'))
      cuts.clear()
    },
    /** The machine sleeps: its clock goes on, its timers do not. */
    sleep(ms: number): void {
      sleptMs += ms
    },
    wake(): void {
      for (const run of [...wakers]) run()
    },
    /** What waits for something: nobody, after the end. */
    waiting: () => front.clock.waiting + wakers.size,
  })
}
export type TestPage = Awaited<ReturnType<typeof setupPage>>

/** What a watch has shown so far, by its changes of status and fraction. */
export interface Watching {
  readonly shown: string[]
  readonly last: () => PredictionStatus | undefined
  /** `done`, or what it failed with; undefined while it goes on. */
  ended?: unknown
}

/** Follows a prediction as a page does. */
export function watch(page: TestPage, id: string, signal?: AbortSignal): Watching {
  let last: PredictionJson | undefined
  const watching: Watching = { shown: [], last: () => last?.status }
  const read = async () => {
    for await (const prediction of page.client.watch(id, { signal })) {
      last = prediction
      const fraction = prediction.surefoot.progress?.fraction
      watching.shown.push(prediction.status + (fraction == null ? '' : ` ${fraction}`))
    }
    return 'done'
  }
  const end = (how: unknown) => {
    watching.ended = how
  }
  read().then(end, end)
  return watching
}

/** No event streams here, as behind some proxies. */
export function withoutStreams(request: Request): Response | null {
  return request.url.endsWith('/events') ? new Response('<h1>Not implemented</h1>', { status: 501 }) : null
}
