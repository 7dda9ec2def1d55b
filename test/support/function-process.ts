import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { type Authorize, createProcessRoute, createSurefootRoute } from '../../src/next.ts'
import { createSurefoot } from '../../src/surefoot.ts'

/**
 * One invocation of a function on a host where nothing lives longer than a request: reads a request from its standard
 * input (a line of JSON, then the body in base64), writes the answer in the same form, and ends.
 */
interface Invocation {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const authorize: Authorize = request => {
  const user = request.headers.get('x-user')
  return user === null ? null : { user }
}

const surefoot = createSurefoot({ directory: process.argv[2] ?? '.' })
const ownRoute = createProcessRoute(surefoot, { model: 'surefoot/relief', authorize })
const mounted = createSurefootRoute(surefoot, { authorize })

const [line = ''] = await Readable.from(createInterface({ input: process.stdin }))
  .take(1)
  .toArray()
const { method, url, headers, body } = JSON.parse(line) as Invocation
const request = new Request(url, {
  method,
  headers,
  ...(body === '' ? {} : { body: Buffer.from(body, 'base64') }),
})
const isMounted = new URL(url).pathname.startsWith('/api/surefoot')
const routes = new Map(Object.entries(isMounted ? mounted : ownRoute))
const response = (await routes.get(method)?.(request)) ?? new Response(null, { status: 405 })
const answer = {
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: Buffer.from(await response.arrayBuffer()).toString('base64'),
}
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0))
