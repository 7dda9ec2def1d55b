import fc from 'fast-check'
import { refuse } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import type { FileJson, PredictionJson } from './shapes.ts'
import { setupGateway } from './test-gateway.ts'
import {
  createAnswerCheck,
  type GeneratedRequest,
  type Known,
  type Operation,
  readDocument,
  requestsOf,
} from './test-openapi.ts'
import { png } from './test-support.ts'

const ownerSecret = 'secret-of-whoever-owns-the-folder'
const image = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
const right: JsonObject = { input: { image, steps: 3 } }

/** What cannot succeed here, and why. */
const mustFail: ReadonlySet<string> = new Set([
  // Only links of ours open these, and nothing here hands any out.
  'PUT /v1/uploads/{attempt}/{name}',
  'PUT /v1/files/{id}/content',
  'POST /v1/webhooks/{provider}/{attempt}/{secret}',
  'GET /v1/files/{id}/download',
  // No migration and no run that warms is configured.
  'POST /v1/migrations/{owner}/{name}/{action}',
  'GET /v1/models/{owner}/{name}/warm/{id}',
])

/**
 * Calls every operation of the OpenAPI document `times` times, rightly and wrongly, against a real gateway, and checks each
 * answer by the document; that each operation also succeeds, as far as it can here. Fails with the request and the seed.
 */
export async function checkAgreement(times: number): Promise<{ readonly asked: number; readonly operations: number }> {
  const gateway = await setupGateway({ ownerSecret })
  const headers = { authorization: `Bearer ${ownerSecret}` }
  const send = (path: string, init: RequestInit = {}) =>
    gateway.app().fetch(new Request(new URL(path, gateway.url), { ...init, headers: { ...headers, ...init.headers } }))
  gateway.succeed()
  const document = readDocument(await (await send('/openapi.json')).json())
  const check = createAnswerCheck(document)
  const known = await seed(send)
  let asked = 0
  for (const operation of document.operations) {
    let succeeded = 0
    const ask = async (request: GeneratedRequest) => {
      const answer = await send(toPath(request), toInit(operation, request))
      if (answer.ok) succeeded += 1
      asked += 1
      await check(operation, answer)
    }
    await fc.assert(fc.asyncProperty(requestsOf(operation, await known(operation), document.schemas), ask), {
      numRuns: times,
    })
    if (succeeded === 0 && !mustFail.has(operation.name)) refuse('internal', `${operation.name} never succeeded.`)
  }
  return { asked, operations: document.operations.length }
}

/** Puts into the gateway what requests can be about; answers the right values for an operation. */
async function seed(send: (path: string, init?: RequestInit) => Promise<Response>) {
  const json = { 'content-type': 'application/json' }
  const post = async (path: string, body: object, headers = {}) =>
    (await send(path, { method: 'POST', headers: { ...json, ...headers }, body: JSON.stringify(body) })).json()
  const path = '/v1/models/acme/sketch/predictions'
  const photo = new FormData()
  photo.set('image', new Blob([png], { type: 'image/png' }), 'photo.png')
  const init = { method: 'POST', headers: { prefer: 'wait' }, body: photo }
  const ended = (await (await send(path, init)).json()) as PredictionJson
  const output = new URL(ended.output ?? '')
  const input = new URL(String(ended.input.image))
  const signed = (url: URL) => Object.fromEntries([...url.searchParams].map(([name, value]) => [name, [value]]))
  const nameIn = (url: URL) => [decodeURIComponent(url.pathname.split('/').at(-1) ?? '')]

  async function freshFile(): Promise<FileJson> {
    const form = new FormData()
    form.set('content', new Blob([png], { type: 'image/png' }), 'photo.png')
    return (await (await send('/v1/files', { method: 'POST', body: form })).json()) as FileJson
  }

  return async ({ name, path }: Operation): Promise<Known> => {
    const model = { owner: ['acme'], name: ['sketch'], version: [ended.version] }
    const headers = { prefer: ['wait', 'wait=1'], 'cancel-after': ['30s', '1h'], 'idempotency-key': ['k1', 'k2'] }
    const ranges = { range: ['bytes=0-3', 'bytes=-2', 'bytes=9999-'], 'if-none-match': ['*', '"x"'] }
    const paging = { created_after: ['2020-01-01T00:00:00Z'], created_before: ['2120-01-01T00:00:00Z'] }
    const common = {
      ...model,
      ...headers,
      ...paging,
      owner: path === '/v1/predictions' || path === '/v1/webhooks' ? ['all', 'local'] : ['acme'],
    }
    if (path === '/v1/providers') {
      const wish = { prefer: ['cost', 'speed'], max_cost_per_image: ['1'], max_seconds: ['100'], health: ['1'] }
      return { parameters: { ...wish, model: ['acme/sketch'], deployments: ['sketch@hand'] } }
    }
    if (path.startsWith('/v1/outputs/'))
      return {
        parameters: {
          ...ranges,
          ...signed(output),
          prediction: [ended.id],
          name: nameIn(output),
          prefer: ['respond-async'],
        },
      }
    if (path.startsWith('/v1/inputs/')) return { parameters: { ...ranges, ...signed(input), name: nameIn(input) } }
    if (path === '/v1/files/uploads')
      return { parameters: {}, bodies: [{ filename: 'photo.png', type: 'image/png', bytes: png.length }] }
    if (path.startsWith('/v1/files/')) return { parameters: { ...common, id: [(await freshFile()).id] } }
    if (path.startsWith('/v1/predictions/')) return { parameters: { ...common, id: [ended.id] } }
    if (path.startsWith('/v1/deployments/'))
      return { parameters: { ...common, name: ['sketch@hand'] }, bodies: [right] }
    if (name === 'DELETE /v1/tokens/{id}') {
      const ids = await Promise.all(['a', 'b', 'c'].map(each => post('/v1/tokens', { name: each })))
      return { parameters: { id: ids.map(token => (token as { readonly id: string }).id) } }
    }
    if (path === '/v1/tokens') return { parameters: {}, bodies: [{ name: 'Ann', scopes: ['read'], expires_in: 60 }] }
    if (path.endsWith('/warm')) return { parameters: common, bodies: [{}, { run: false }] }
    if (path === '/v1/files') return { parameters: common, forms: [{ content: 'file', metadata: '{}' }] }
    return {
      parameters: common,
      bodies:
        path === '/v1/predictions'
          ? [
              { ...right, version: 'acme/sketch' },
              { ...right, version: ended.version },
            ]
          : [right],
      forms: [
        { version: 'acme/sketch', image: 'file' },
        { image: 'file', steps: '3' },
      ],
    }
  }
}

function toPath({ path, query }: GeneratedRequest): string {
  const search = new URLSearchParams(query).toString()
  return search === '' ? path : `${path}?${search}`
}

function toInit({ method }: Operation, { headers, body, contentType }: GeneratedRequest): RequestInit {
  if (body === null || method === 'GET') return { method, headers: { ...headers } }
  if (typeof body === 'string') return { method, headers: { ...headers, 'content-type': contentType ?? '' }, body }
  const form = new FormData()
  for (const [field, value] of Object.entries(body))
    form.set(field, value === 'file' ? new Blob([png], { type: 'image/png' }) : value)
  return { method, headers: { ...headers }, body: form }
}
