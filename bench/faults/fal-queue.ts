/**
 * fal's queue protocol as its published client speaks it, in front of Replicate's: submit, status, result, cancel. It
 * only translates paths, and the bodies of good answers; every other answer, and every broken connection, passes as it is.
 */
export function createFalQueue(baseUrl: string): typeof globalThis.fetch {
  return async (input, init) => {
    const { pathname } = new URL(new Request(input, init).url)
    const [, app, id, what] = /^\/(.+?)(?:\/requests\/([^/]+)(?:\/(status|cancel))?)?$/.exec(pathname) ?? []
    const headers = { authorization: 'Bearer any', 'content-type': 'application/json' }
    if (id === undefined) {
      const body = `{"input":${String(init?.body)}}`
      const create = { method: 'POST', headers, body, signal: init?.signal ?? null }
      return await translate(await fetch(`${baseUrl}/models/${app}/predictions`, create), ({ id }) => ({
        request_id: id,
        status: 'IN_QUEUE',
      }))
    }
    const url = `${baseUrl}/predictions/${encodeURIComponent(id)}`
    if (what === 'cancel') return await fetch(`${url}/cancel`, { method: 'POST', headers })
    const answer = await fetch(url, { headers, signal: init?.signal ?? null })
    if (what === 'status') return await translate(answer, ({ status }) => ({ request_id: id, status: wordOf(status) }))
    // What failed is over in the queue's words, and its result is an error.
    return await translate(answer, ({ status, output, error }) =>
      status === 'succeeded' ? { output } : Response.json({ detail: error }, { status: 500 }),
    )
  }
}

type Prediction = { readonly [field: string]: unknown }

async function translate(answer: Response, say: (prediction: Prediction) => object): Promise<Response> {
  if (!answer.ok || answer.headers.get('content-type')?.includes('json') !== true) return answer
  const prediction = (await answer.json()) as Prediction
  // An error with 200 is no prediction, and nothing of ours to translate.
  if (!('status' in prediction)) return Response.json(prediction)
  const said = say(prediction)
  return said instanceof Response ? said : Response.json(said)
}

function wordOf(status: unknown): string {
  if (status === 'starting') return 'IN_QUEUE'
  return status === 'processing' ? 'IN_PROGRESS' : 'COMPLETED'
}
