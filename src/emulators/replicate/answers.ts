/** A JSON answer. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** An error as the vendor shapes it: `detail`, `status`, sometimes a `title`. */
export function problem(status: number, detail: string, title?: string): Response {
  return json({ ...(title === undefined ? {} : { title }), detail, status }, status)
}

/** What proxies in between answer: a page for people. */
export function page(status: number, title: string): Response {
  const html = `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`
  return new Response(html, { status, headers: { 'content-type': 'text/html; charset=UTF-8' } })
}

/** 429 with the wait told in one of the forms that occur: seconds, float, date, body or bare. */
export function throttled(form: string, waitSeconds: number, now: number): Response {
  const detail = `Request was throttled.${form === 'body' ? ` Your rate limit resets in ~${waitSeconds}s.` : ''}`
  const body = { detail, status: 429, ...(form === 'body' ? { retry_after: waitSeconds } : {}) }
  if (form === 'seconds') return json(body, 429, { 'retry-after': String(waitSeconds) })
  if (form === 'float') return json(body, 429, { 'retry-after': `${waitSeconds - 0.5}` })
  if (form === 'date') return json(body, 429, { 'retry-after': new Date(now + waitSeconds * 1000).toUTCString() })
  return json(body, 429)
}
