import type { Finding } from '../providers/contract.ts'

export { duration, ok, problem, warning } from '../providers/finding.ts'

/** A finding, and what it is about: a deployment, a provider, a model, `config`, `data folder`, `database`, `public URL`, `clock`. */
export interface Reported extends Finding {
  readonly about: string
}

/** The same findings, about this. */
export function about(subject: string, findings: readonly Finding[]): Reported[] {
  return findings.map(finding => ({ about: subject, ...finding }))
}

/** `7.5 MB`; a megabyte has a million bytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** An amount with three digits that count. */
export function usd(amount: number): string {
  return String(Number(amount.toPrecision(3)))
}
