import { describe, expect, it } from 'vitest'
import { noLimits } from '../core/token.ts'
import type { Engine, Turn, TurnOptions } from '../engine/contract.ts'
import type { Caller, Mounted } from './context.ts'
import { createMount, type MountOptions } from './mount.ts'

const secret = 'a-secret-of-ticks'

/** A mount over an app and an engine that write down, in order, what happens. */
function setup({
  respond = () => Response.json({}),
  busy = Promise.resolve(),
  ...options
}: Partial<MountOptions> & { respond?: (request: Request, mounted?: Mounted) => Response; busy?: Promise<void> } = {}) {
  const events: string[] = []
  const over = new AbortController()
  const engine: Pick<Engine, 'turn'> = {
    async turn<T>(work: (turn: Turn) => Promise<T>, { others, limitMs }: TurnOptions = {}) {
      events.push(`wake${others === undefined ? '' : ` others ${others}`}${limitMs === undefined ? '' : ` ${limitMs}`}`)
      try {
        return await work({
          signal: over.signal,
          async advance({ id, owner, forMs } = {}) {
            events.push(['advance', id, owner, forMs].filter(part => part !== undefined).join(' '))
            await busy
          },
          async keepHouse() {
            events.push('keep house')
          },
        })
      } finally {
        events.push('sleep')
      }
    },
  }
  const app = {
    async fetch(request: Request, mounted?: Mounted): Promise<Response> {
      events.push(`${request.method} ${new URL(request.url).pathname}`)
      return respond(request, mounted)
    },
    async recognise(header: string | undefined, { visitor }: Pick<Mounted, 'visitor'>): Promise<Caller | null> {
      const rights = { scopes: [], limits: noLimits, seesAll: header === 'Bearer admin' }
      if (header !== undefined) return rights.seesAll ? { owner: 'token', ...rights } : null
      const found = await visitor()
      return found === null ? null : { owner: `user:${found.user}`, ...rights }
    },
  }
  const handle = createMount(
    { app, engine },
    { base: '/api/surefoot', authorize: () => ({ user: 'ada' }), tickSecret: secret, ...options },
  )
  return {
    events,
    over,
    ask: (path: string, init?: RequestInit) => handle(new Request(`https://app.example/api/surefoot${path}`, init)),
  }
}

const post = { method: 'POST', body: '{}' }

describe('a request where requests drive', () => {
  it('is answered, when it asks, after what is due of its prediction was done', async () => {
    const { ask, events } = setup()
    await ask('/v1/predictions/abc')
    expect(events).toEqual(['wake', 'advance abc user:ada', 'GET /v1/predictions/abc', 'sleep'])
  })

  it('is answered, when it begins something, after that was seen through', async () => {
    const { ask, events } = setup()
    await ask('/v1/predictions', post).then(() => events.push('answered'))
    expect(events).toEqual(['wake', 'POST /v1/predictions', 'advance', 'sleep', 'answered'])
  })

  it('is answered at once where the host lets work go on after the answer, and hands it the work', async () => {
    const works: Promise<unknown>[] = []
    const { promise: busy, resolve: finish } = Promise.withResolvers<void>()
    const { ask, events } = setup({ busy, after: work => void works.push(work) })
    await ask('/v1/predictions', post).then(() => events.push('answered'))
    finish()
    await Promise.all(works)
    expect(events).toEqual(['wake', 'POST /v1/predictions', 'advance', 'answered', 'sleep'])
    expect(works).toHaveLength(1)
  })

  it('wakes nobody for nobody', async () => {
    const { ask, events } = setup({ authorize: () => null })
    await ask('/v1/predictions', post)
    expect(events).toEqual(['POST /v1/predictions'])
  })

  it.each(['/v1/webhooks/runpod/attempt/secret', '/v1/uploads/attempt/output'])(
    'moves what a webhook or an upload has told, and nothing when it is refused: %s',
    async path => {
      const { ask, events } = setup({ authorize: () => null })
      await ask(path, post)
      expect(events).toEqual([`POST ${path}`, 'wake', 'advance', 'sleep'])
      const refused = setup({ authorize: () => null, respond: () => new Response(null, { status: 403 }) })
      await refused.ask(path, post)
      expect(refused.events).toEqual([`POST ${path}`])
    },
  )

  it('wakes nobody for a token that is none, for health checks and preflights, nor asks who sends them', async () => {
    let asked = 0
    const authorize = () => {
      asked += 1
      return new Response('Sign in.', { status: 401 })
    }
    const { ask, events } = setup({ authorize })
    await ask('/v1/predictions', { headers: { authorization: 'Bearer sf_x' } })
    await ask('/healthz')
    expect((await ask('/v1/predictions', { method: 'OPTIONS' })).status).toBe(200)
    expect([events, asked]).toEqual([['GET /v1/predictions', 'GET /healthz', 'OPTIONS /v1/predictions'], 0])
  })

  it('is answered by the sign-in where that has an answer of its own for nobody, and by us otherwise', async () => {
    const own = () => new Response('Sign in.', { status: 303 })
    const nobody = setup({ authorize: own, respond: () => new Response(null, { status: 401 }) })
    expect((await nobody.ask('/v1/predictions')).status).toBe(303)
    const open = setup({ authorize: own, respond: () => new Response(null, { status: 404 }) })
    expect((await open.ask('/v1/predictions')).status).toBe(404)
  })

  it("moves another's prediction for whoever may see all only", async () => {
    const { ask, events } = setup()
    await ask('/v1/predictions/abc', { headers: { authorization: 'Bearer admin' } })
    expect(events[1]).toBe('advance abc')
  })

  it('cuts the stream of a reader that has stopped reading, once its turn is over', async () => {
    const source = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 100 })
    const respond = () => new Response(source.readable, { headers: { 'content-type': 'text/event-stream' } })
    const { ask, over, events } = setup({ respond })
    const reader = (await ask('/v1/predictions/abc/events')).body?.getReader()
    const writer = source.writable.getWriter()
    for (let count = 0; count < 50; count++) void writer.write(new Uint8Array(1_000)).catch(() => {})
    await reader?.read()
    over.abort()
    await expect.poll(() => events.at(-1)).toBe('sleep')
    const readAll = async () => {
      while ((await reader?.read())?.done === false);
    }
    await expect(readAll()).rejects.toThrow()
  })

  it('wakes nobody for bytes by a signed link', async () => {
    const { ask, events } = setup()
    await ask('/v1/outputs/abc/scene.ply?expiry=1&signature=x')
    expect(events).toEqual(['GET /v1/outputs/abc/scene.ply'])
  })

  it('drives for as long as its event stream is open, and ends the stream after it', async () => {
    const source = new TransformStream<Uint8Array, Uint8Array>()
    const respond = () => new Response(source.readable, { headers: { 'content-type': 'text/event-stream' } })
    const { ask, events } = setup({ respond })
    const response = await ask('/v1/predictions/abc/events')
    const reading = response.text().then(text => events.push(`read ${text}`))
    const writer = source.writable.getWriter()
    await writer.write(new TextEncoder().encode('data: 1\n\n'))
    expect(events).toEqual(['wake', 'advance abc user:ada', 'GET /v1/predictions/abc/events'])
    await writer.close()
    await reading
    expect(events.slice(-2)).toEqual(['sleep', 'read data: 1\n\n'])
  })

  it('is told when its time is over, so that what is held can be answered', async () => {
    let closing: AbortSignal | undefined
    const { ask, over } = setup({
      respond(_, mounted) {
        closing = mounted?.closing
        return Response.json({})
      },
    })
    await ask('/v1/predictions', post)
    expect(closing?.aborted).toBe(false)
    over.abort()
    expect(closing?.aborted).toBe(true)
  })

  it('has its sign-in asked once, however often its sender matters', async () => {
    let asked = 0
    const { ask } = setup({
      authorize: () => {
        asked += 1
        return { user: 'ada' }
      },
    })
    await ask('/v1/predictions')
    expect(asked).toBe(1)
  })
})

describe('tick', () => {
  const bearer = (value: string) => ({ headers: { authorization: `Bearer ${value}` } })

  it('advances all that is due and keeps house, by POST and by GET', async () => {
    for (const method of ['POST', 'GET']) {
      const { ask, events } = setup()
      expect((await ask('/tick', { method, ...bearer(secret) })).status).toBe(200)
      expect(events).toEqual(['wake others Infinity', 'keep house', 'advance', 'sleep'])
    }
  })

  it('drives on for as many seconds as it is told', async () => {
    const { ask, events } = setup()
    await ask('/tick?seconds=50', { method: 'POST', ...bearer(secret) })
    expect(events).toEqual(['wake others Infinity 50000', 'keep house', 'advance 49000', 'sleep'])
  })

  it.each<[string, string, RequestInit, number]>([
    ['without its secret', '/tick', { method: 'POST' }, 401],
    ['with another', '/tick', { method: 'POST', ...bearer('something-else-here') }, 401],
    ['with the bare secret', '/tick', { method: 'POST', headers: { authorization: secret } }, 401],
    ['for too long', '/tick?seconds=901', { method: 'POST', ...bearer(secret) }, 422],
    ['for no time', '/tick?seconds=0', { method: 'POST', ...bearer(secret) }, 422],
    ['for nonsense', '/tick?seconds=1e9', { method: 'POST', ...bearer(secret) }, 422],
    ['by another method', '/tick', { method: 'DELETE', ...bearer(secret) }, 405],
  ])('is refused %s, and wakes nobody', async (_, path, init, status) => {
    const { ask, events } = setup()
    expect([(await ask(path, init)).status, events]).toEqual([status, []])
  })
})
