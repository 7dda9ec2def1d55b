/** A JSON answer. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
}

/** What proxies in between answer: a page for people. */
export function page(status: number, title: string): Response {
  const html = `<!doctype html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`
  return new Response(html, { status, headers: { 'content-type': 'text/html; charset=UTF-8' } })
}

/** A 429's headers with the wait told in one of the forms that occur: seconds, float or date; none for body and bare. */
export function waitHeaders(form: string, waitSeconds: number, now: number): Record<string, string> {
  if (form === 'seconds') return { 'retry-after': String(waitSeconds) }
  if (form === 'float') return { 'retry-after': `${waitSeconds - 0.5}` }
  if (form === 'date') return { 'retry-after': new Date(now + waitSeconds * 1000).toUTCString() }
  return {}
}
