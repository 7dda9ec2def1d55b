import type { Clock } from '../../core/clock.ts'
import type { FaultName } from '../catalogue.ts'
import { connectionRefused, connectionReset, hang, pause } from '../connection.ts'
import type { ActiveFaults } from '../faults.ts'
import { json, page, problem, throttled } from './answers.ts'
import { shows } from './life.ts'
import type { Run } from './run.ts'

/** How long the vendor asks to wait. */
const waitSeconds = 2

/** Answers a start that is refused: nothing has been started. Null: no such fault. */
export function refuseCreate(faults: ActiveFaults, now: number): Response | null {
  if (faults.has('create-refused')) throw connectionRefused()
  if (faults.has('create-401')) return problem(401, 'You did not pass a valid authentication token', 'Unauthenticated')
  if (faults.has('create-402'))
    return problem(402, 'You have insufficient credit to run this model.', 'Insufficient credit')
  if (faults.has('create-403')) return problem(403, 'Your account has been locked. Contact support.', 'Account locked')
  if (faults.has('create-404')) return problem(404, 'The requested resource could not be found.')
  if (faults.has('create-413')) return problem(413, 'Request body too large.')
  if (faults.has('create-422')) {
    return faults.text('create-422') === 'input'
      ? problem(422, '- input.photo: this field is required', 'Input validation failed')
      : problem(422, 'Invalid version or not permitted', 'Invalid version or not permitted')
  }
  if (faults.has('create-429')) return throttled(faults.text('create-429'), waitSeconds, now)
  const gateway = gatewayFault(faults)
  return gateway !== null && faults.text(gateway) === 'refused' ? gatewayAnswer(gateway) : null
}

/** What the caller gets instead of the answer to a start that did happen. Null: the real answer. */
export async function loseCreate(faults: ActiveFaults, signals: readonly AbortSignal[]): Promise<Response | null> {
  if (faults.has('accept-then-reset')) throw connectionReset()
  if (faults.has('create-hang')) await hang(...signals)
  if (faults.has('create-html-200')) return page(200, 'Just a moment...')
  if (faults.has('create-error-object-200')) return json({ error: 'something went wrong' })
  const gateway = gatewayFault(faults)
  return gateway === null ? null : gatewayAnswer(gateway)
}

const gatewayFaults = ['create-500', 'create-502', 'create-503', 'create-504', 'create-524'] as const

function gatewayFault(faults: ActiveFaults): (typeof gatewayFaults)[number] | null {
  return gatewayFaults.find(name => faults.has(name)) ?? null
}

function gatewayAnswer(name: (typeof gatewayFaults)[number]): Response {
  const status = Number(name.slice('create-'.length))
  return status === 500 || status === 503
    ? problem(status, 'Internal server error')
    : page(status, `${status}: gateway error`)
}

/** Status answers that replace the real one for a number of times. */
const statusAnswers: readonly (readonly [FaultName, () => Response])[] = [
  ['status-404-after-submit', () => problem(404, 'The requested resource could not be found.')],
  ['status-402', () => problem(402, 'You have insufficient credit.')],
  ['status-403', () => problem(403, 'Your account has been locked. Contact support.')],
  ['status-409', () => problem(409, 'Conflict')],
  ['status-422', () => problem(422, 'Unprocessable')],
  ['status-503', () => problem(503, 'Service unavailable')],
  ['html-200', () => page(200, 'Just a moment...')],
  ['error-object-200', () => json({ error: 'something went wrong' })],
]

/** What the caller gets instead of a status answer. Null: the real answer. */
export async function misanswerStatus(
  run: Run,
  clock: Clock,
  signals: readonly AbortSignal[],
): Promise<Response | null> {
  const { faults } = run
  if (run.forgotten) return problem(404, 'The requested resource could not be found.')
  if (run.startedAt !== null && shows(run, 'status-401', faults.number('status-401')))
    return problem(401, 'You did not pass a valid authentication token', 'Unauthenticated')
  if (shows(run, 'status-429', 3)) return throttled(faults.text('status-429'), waitSeconds, clock.now())
  if (shows(run, 'status-slow', 3)) await pause(clock, faults.number('status-slow') * 1000, ...signals)
  if (shows(run, 'status-hang', faults.number('status-hang'))) await hang(...signals)
  if (shows(run, 'status-reset', faults.number('status-reset'))) return cutOff()
  for (const [name, answer] of statusAnswers) if (shows(run, name, faults.number(name))) return answer()
  return null
}

/** An answer that breaks off in the middle of its body. */
function cutOff(): Response {
  async function* half(): AsyncGenerator<Uint8Array> {
    yield new TextEncoder().encode('{"id":"')
    throw connectionReset()
  }
  return new Response(ReadableStream.from(half()), { headers: { 'content-type': 'application/json' } })
}

/** What the caller gets instead of a cancel's answer; the cancel is not carried out. Null: the real answer. */
export function misanswerCancel(run: Run): Response | null {
  return shows(run, 'cancel-lost', run.faults.number('cancel-lost')) ? problem(503, 'Service unavailable') : null
}

/** Whether a finished run's files are gone before their time. */
export function isExpired(run: Run, now: number): boolean {
  if (!run.faults.has('output-expired') || run.completedAt === null) return false
  return now >= run.completedAt + run.faults.number('output-expired') * 1000
}
