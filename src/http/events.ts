import { inspect } from 'node:util'
import { z } from '@hono/zod-openapi'
import type { StoredPrediction } from '../store/contract.ts'
import { type App, type AppDependencies, endsOf } from './context.ts'
import { refuseHttp } from './errors.ts'
import { findPrediction, viewOf } from './predictions.ts'
import { addRoute } from './route.ts'

/** Most event streams that one caller may have open at one process: each is a socket and a place in memory. */
export const mostStreams = 1_000

const keepAliveMs = 15_000
const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
}

/**
 * `GET /v1/predictions/{id}/events`: the prediction now and after each change, as server-sent events. A caller that has
 * `mostStreams` open gets 429. The returned function tells how many are open.
 */
export function addEvents(app: App, deps: AppDependencies): () => number {
  const streams = createStreamCount()
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/predictions/{id}/events',
      summary: 'Follow a prediction as server-sent events until it ends',
      params: z.object({ id: z.string() }),
      headers: z.object({
        'last-event-id': z.string().optional().openapi({ description: 'Resumes: nothing that old is sent again.' }),
      }),
      responses: {
        200: {
          description:
            '`prediction` events whose id is the record version and whose data is the prediction; then `done`.',
          content: { 'text/event-stream': { schema: z.string() } },
        },
      },
    },
    async (c, { params: { id } }) => {
      await findPrediction(deps, c, id)
      // Nobody would read the stream, nor ever end it.
      if (c.req.method === 'HEAD') return new Response(null, { headers: streamHeaders })
      const seen = c.req.header('last-event-id')
      const gone = new AbortController()
      const signal = AbortSignal.any([gone.signal, ...endsOf(c, deps)])
      const ended = streams.begin(c.get('caller').owner)
      signal.addEventListener('abort', ended, { once: true })
      const changes = deps.engine.watch(id, {
        signal,
        ...(seen !== undefined && /^\d{1,15}$/.test(seen) ? { afterVersion: Number(seen) } : {}),
      })
      const body = toEventStream(changes, { deps, view: viewOf(deps, c), gone, signal, ended })
      return new Response(body, { headers: streamHeaders })
    },
  )
  return streams.total
}

/**
 * Writes changes as events, no faster than they are read, and `done` after the last; no `done` when `signal` ended it
 * first, so that browsers come back. `ended` is called when all is written. A comment goes out after each 15 s of silence: neither proxies nor browsers then
 * take a quiet stream for a dead one. `gone` is aborted when the reader leaves.
 */
function toEventStream(
  changes: AsyncIterable<StoredPrediction>,
  options: {
    readonly deps: Pick<AppDependencies, 'clock' | 'log'>
    readonly gone: AbortController
    readonly signal: AbortSignal
    ended(): void
    view(stored: StoredPrediction): object
  },
): ReadableStream<Uint8Array> {
  const { clock, log } = options.deps
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const encoder = new TextEncoder()
  let stopTimer: () => void = () => undefined

  async function send(text: string): Promise<void> {
    stopTimer()
    await writer.ready
    await writer.write(encoder.encode(text))
    keepAlive()
  }

  function keepAlive(): void {
    stopTimer()
    stopTimer = clock.after(keepAliveMs, () => {
      // The write settles when it is read; whoever stops reading gets one comment at most.
      send(': keep-alive\n\n').catch(() => undefined)
    })
  }

  async function sendAll(): Promise<void> {
    keepAlive()
    for await (const stored of changes) {
      await send(`event: prediction\nid: ${stored.version}\ndata: ${JSON.stringify(options.view(stored))}\n\n`)
    }
    if (!options.signal.aborted) await send('event: done\ndata: {}\n\n')
    stopTimer()
    await writer.close()
  }

  writer.closed.catch(() => options.gone.abort())
  sendAll()
    .catch(error => {
      stopTimer()
      if (!options.signal.aborted) log('error', 'event stream failed', { error: inspect(error) })
      writer.abort(error).catch(() => undefined)
    })
    .finally(options.ended)
  return readable
}

/** How many streams each caller has open. */
function createStreamCount() {
  const open = new Map<string, number>()
  return {
    total: () => [...open.values()].reduce((sum, count) => sum + count, 0),
    /** Counts one more, or refuses; the returned function, called any number of times, gives it back. */
    begin(owner: string): () => void {
      const count = open.get(owner) ?? 0
      if (count >= mostStreams)
        refuseHttp(
          'too_many_requests',
          `This caller has ${mostStreams.toLocaleString('en')} event streams open; close some, or poll the predictions.`,
        )
      open.set(owner, count + 1)
      let isOpen = true
      return () => {
        if (!isOpen) return
        isOpen = false
        const left = (open.get(owner) ?? 0) - 1
        if (left > 0) open.set(owner, left)
        else open.delete(owner)
      }
    },
  }
}
