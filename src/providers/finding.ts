import type { Finding, Intent } from './contract.ts'

/** Nothing to mend. `code`: see `Finding`. */
export function ok(code: string, message: string, advice: string | null = null): Finding {
  return { code, level: 'ok', message, advice }
}

/** Some predictions may fail, or cost more than they should. */
export function warning(code: string, message: string, advice: string): Finding {
  return { code, level: 'warning', message, advice }
}

/** Predictions fail until it is mended. */
export function problem(code: string, message: string, advice: string): Finding {
  return { code, level: 'problem', message, advice }
}

/** `90 s`, `10 min`. */
export function duration(ms: number): string {
  return ms % 60_000 === 0 && ms >= 120_000 ? `${ms / 60_000} min` : `${Number((ms / 1000).toFixed(1))} s`
}

/** A run that the vendor ends before the policy does; nothing where the policy is the shorter one. */
export function judgeRunLimit(
  code: string,
  { runMs }: Pick<Intent, 'runMs'>,
  vendor: { readonly endsAfterMs: number; readonly words: string; readonly advice: string },
): Finding[] {
  if (runMs <= vendor.endsAfterMs) return []
  const { endsAfterMs, words, advice } = vendor
  const message = `${words} ends a run after ${duration(endsAfterMs)}, and the policy lets one go on for ${duration(runMs)}.`
  return [warning(code, message, advice)]
}
