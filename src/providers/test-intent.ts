import { defaultPolicy } from '../core/policy.ts'
import type { Intent } from './contract.ts'

/** What a check is asked for a photo under the default policy, reading only. */
export const intent: Intent = { ...defaultPolicy, fields: ['image'], mayWrite: false }

/** `ok code`, `warning code`, ... of each finding: what a check found, without its words. */
export function brief(findings: readonly { readonly level: string; readonly code: string }[] | undefined): string[] {
  return (findings ?? []).map(({ level, code }) => `${level} ${code}`)
}
