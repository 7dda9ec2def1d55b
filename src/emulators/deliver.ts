import type { Clock } from '../core/clock.ts'
import { connectionReset, hang, pause } from './connection.ts'
import type { ActiveFaults } from './faults.ts'

const chunkBytes = 64 * 1024

export interface Delivery {
  readonly body: Blob
  readonly mediaType: string
  readonly faults: ActiveFaults
  readonly clock: Clock
  /** Ends when the emulator closes. */
  readonly closed: AbortSignal
}

/** Answers a GET or HEAD for a file as object storage does: length, ETag, single ranges; with the download faults of its run. */
export function deliver(request: Request, { body, mediaType, faults, clock, closed }: Delivery): Response {
  const file = faults.has('output-short') ? body.slice(0, Math.floor(body.size * faults.number('output-short'))) : body
  const range = rangeOf(request.headers.get('range'), file.size)
  if (range === 'unsatisfiable')
    return new Response(null, { status: 416, headers: { 'content-range': `bytes */${file.size}` } })
  const { start, end } = range ?? { start: 0, end: file.size }
  const headers = {
    'content-type': mediaType,
    'content-length': String(end - start),
    'accept-ranges': 'bytes',
    etag: `"${file.size.toString(16)}"`,
    ...(range === null ? {} : { 'content-range': `bytes ${start}-${end - 1}/${file.size}` }),
  }
  const part = file.slice(start, end)
  const stream =
    request.method === 'HEAD' ? null : ReadableStream.from(send(part, faults, clock, [request.signal, closed]))
  return new Response(stream, { status: range === null ? 200 : 206, headers })
}

async function* send(
  part: Blob,
  faults: ActiveFaults,
  clock: Clock,
  signals: readonly AbortSignal[],
): AsyncGenerator<Uint8Array> {
  const breakAt = faults.has('output-truncated') ? part.size * faults.number('output-truncated') : Infinity
  const hangAt = faults.has('output-hang') ? part.size * faults.number('output-hang') : Infinity
  const size = faults.has('output-slow') ? Math.max(1, Math.floor(faults.number('output-slow'))) : chunkBytes
  for (let sent = 0; sent < part.size; ) {
    const next = Math.min(sent + size, part.size, Math.ceil(breakAt), Math.ceil(hangAt))
    yield new Uint8Array(await part.slice(sent, next).arrayBuffer())
    sent = next
    if (sent >= breakAt) throw connectionReset()
    if (sent >= hangAt) await hang(...signals)
    if (faults.has('output-slow')) await pause(clock, 1000, ...signals)
  }
}

function rangeOf(header: string | null, size: number): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '')
  if (match === null) return null
  const start = Number(match[1])
  const end = match[2] === '' ? size : Math.min(size, Number(match[2]) + 1)
  return start >= size || end <= start ? 'unsatisfiable' : { start, end }
}
