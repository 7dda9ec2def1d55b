import type { PredictionRecord } from '../core/prediction.ts'
import type { DerivativeSource, DerivativeState } from '../derivatives/contract.ts'
import { serveFile, toDisposition, toMaxAge } from './bytes.ts'
import { type AppDependencies, type Context, endsOf } from './context.ts'
import { refuseHttp } from './errors.ts'
import type { ConvertingJson } from './shapes.ts'

/** How long an answer waits for its file: most are made in seconds, and proxies cut after a minute. */
const holdMs = 50_000
/** Seconds after which to ask again. */
const askAgain = { patient: '5', busy: '1' }

/**
 * Answers with a file that is made of a prediction's output: made now, if it is not there. What takes longer than a client
 * may be held answers 503 with `Retry-After`, which `curl --retry` and download managers follow; `Prefer: respond-async`
 * asks for 202 with the progress at once. The work goes on meanwhile.
 */
export async function serveDerivative(
  c: Context,
  deps: AppDependencies,
  { record, name, expiry }: { readonly record: PredictionRecord; readonly name: string; readonly expiry: number },
): Promise<Response> {
  const source = sourceOf(record)
  const isAsync = /(^|,)\s*respond-async\s*(,|$)/.test(c.req.header('prefer') ?? '')
  const state =
    source === null || deps.engine.routes.get(record.model)?.model.derives === undefined
      ? null
      : await deps.derivatives?.get(source, name, {
          holdMs: isAsync ? 0 : holdMs,
          signal: AbortSignal.any([...endsOf(c, deps)]),
        })
  if (state == null) return refuseHttp('not_found', 'There is no such output.')
  if (state.kind === 'stored') return await serveFile(c, deps.files, { ...state, expiry }, deps.clock.now())
  if (state.kind === 'json') {
    return Response.json(state.body, {
      headers: {
        'access-control-allow-origin': '*',
        'cache-control': toMaxAge(expiry, deps.clock.now()),
        'content-disposition': toDisposition(state.name),
        'cross-origin-resource-policy': 'cross-origin',
      },
    })
  }
  if (!isAsync) {
    refuseHttp('not_ready', `${name} is being made (${state.stage}); ask again.`, { 'retry-after': askAgain.patient })
  }
  return Response.json(toConvertingView(name, state), {
    status: 202,
    headers: { 'retry-after': askAgain.busy, 'preference-applied': 'respond-async' },
  })
}

/** What derivatives are made of; null without an output. The photo is the first input that is a picture. */
export function sourceOf({ output, files, shadowOf }: PredictionRecord): DerivativeSource | null {
  if (output === null || shadowOf !== undefined) return null
  return { output, photo: Object.values(files).find(({ mediaType }) => mediaType.startsWith('image/')) ?? null }
}

function toConvertingView(
  name: string,
  { stage, fraction }: Extract<DerivativeState, { kind: 'converting' }>,
): ConvertingJson {
  return { status: 'converting', name, progress: { stage, fraction } }
}
