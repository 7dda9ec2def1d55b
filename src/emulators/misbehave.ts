import type { Clock } from '../core/clock.ts'
import { json, page } from './answers.ts'
import type { FaultName } from './catalogue.ts'
import { connectionRefused, connectionReset, hang, pause } from './connection.ts'
import type { ActiveFaults } from './faults.ts'

/** How long vendors ask to wait. */
const waitSeconds = 2

/** How one vendor words what every vendor says. */
export interface Wording {
  refusal(status: number): Response
  /** 429 with the wait told in one of the forms that occur: seconds, float, date, body or bare. */
  throttled(form: string, waitSeconds: number, now: number): Response
}

/** A run as far as its faults are concerned. */
export interface Faulty {
  readonly faults: ActiveFaults
  /** How often each fault of this run has shown itself. */
  readonly shown: Map<string, number>
  /** The vendor lost it: reads answer 404 from now on. */
  forgotten: boolean
  readonly startedAt: number | null
}

/** Words of the fault `weird-status`, which no vendor has for a status. */
export type Weird = 'EXPIRED' | 'WEIRD' | 'weird' | 'ARCHIVED'

/** A view as it leaves the emulator: faults may have put a word of their own in the place of the status. */
export type Misworded<View extends { readonly status: string }> = Omit<View, 'status'> & {
  readonly status: View['status'] | Weird
}

/** True the first time that a fault which the run has is asked for. */
export function once(run: Faulty, name: FaultName): boolean {
  return shows(run, name, 1)
}

/** True for the first `limit` times that a fault which the run has is asked for. */
export function shows(run: Faulty, name: FaultName, limit: number): boolean {
  const shown = run.shown.get(name) ?? 0
  if (!run.faults.has(name) || shown >= limit) return false
  run.shown.set(name, shown + 1)
  return true
}

const refusedStarts: readonly (readonly [FaultName, number])[] = [
  ['create-401', 401],
  ['create-402', 402],
  ['create-403', 403],
  ['create-404', 404],
  ['create-413', 413],
]

/** Answers a start that is refused: nothing has been started. Null: no such fault. */
export function refuseCreate(faults: ActiveFaults, now: number, wording: Wording): Response | null {
  if (faults.has('create-refused')) throw connectionRefused()
  const refused = refusedStarts.find(([name]) => faults.has(name))
  if (refused !== undefined) return wording.refusal(refused[1])
  if (faults.has('create-429')) return wording.throttled(faults.text('create-429'), waitSeconds, now)
  const gateway = gatewayFault(faults)
  return gateway !== null && faults.text(gateway) === 'refused' ? gatewayAnswer(gateway, wording) : null
}

/** What the caller gets instead of the answer to a start that did happen. Null: the real answer. */
export async function loseCreate(
  faults: ActiveFaults,
  signals: readonly AbortSignal[],
  wording: Wording,
): Promise<Response | null> {
  if (faults.has('accept-then-reset')) throw connectionReset()
  if (faults.has('create-hang')) await hang(...signals)
  if (faults.has('create-html-200')) return page(200, 'Just a moment...')
  if (faults.has('create-error-object-200')) return json({ error: 'something went wrong' })
  const gateway = gatewayFault(faults)
  return gateway === null ? null : gatewayAnswer(gateway, wording)
}

const gatewayFaults = ['create-500', 'create-502', 'create-503', 'create-504', 'create-524'] as const

function gatewayFault(faults: ActiveFaults): (typeof gatewayFaults)[number] | null {
  return gatewayFaults.find(name => faults.has(name)) ?? null
}

function gatewayAnswer(name: (typeof gatewayFaults)[number], wording: Wording): Response {
  const status = Number(name.slice('create-'.length))
  return status === 500 || status === 503 ? wording.refusal(status) : page(status, `${status}: gateway error`)
}

/** Status answers that replace the real one for a number of times. */
const statusAnswers: readonly (readonly [FaultName, (wording: Wording) => Response])[] = [
  ['status-404-after-submit', wording => wording.refusal(404)],
  ['status-402', wording => wording.refusal(402)],
  ['status-403', wording => wording.refusal(403)],
  ['status-409', wording => wording.refusal(409)],
  ['status-422', wording => wording.refusal(422)],
  ['status-503', wording => wording.refusal(503)],
  ['html-200', () => page(200, 'Just a moment...')],
  ['error-object-200', () => json({ error: 'something went wrong' })],
]

/** What the caller gets instead of a status answer. Null: the real answer. */
export async function misanswerStatus(
  run: Faulty,
  clock: Clock,
  signals: readonly AbortSignal[],
  wording: Wording,
): Promise<Response | null> {
  const { faults } = run
  if (run.forgotten) return wording.refusal(404)
  if (run.startedAt !== null && shows(run, 'status-401', faults.number('status-401'))) return wording.refusal(401)
  if (shows(run, 'status-429', 3)) return wording.throttled(faults.text('status-429'), waitSeconds, clock.now())
  if (shows(run, 'status-slow', 3)) await pause(clock, faults.number('status-slow') * 1000, ...signals)
  if (shows(run, 'status-hang', faults.number('status-hang'))) await hang(...signals)
  if (shows(run, 'status-reset', faults.number('status-reset'))) return cutOff()
  for (const [name, answer] of statusAnswers) if (shows(run, name, faults.number(name))) return answer(wording)
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
export function misanswerCancel(run: Faulty, wording: Wording): Response | null {
  return shows(run, 'cancel-lost', run.faults.number('cancel-lost')) ? wording.refusal(503) : null
}
