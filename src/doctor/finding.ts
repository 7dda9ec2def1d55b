import type { Finding } from '../providers/contract.ts'

/** A finding, and what it is about: a deployment, a provider, a model, `config`, `data folder`, `public URL`, `clock`. */
export interface Reported extends Finding {
  readonly about: string
}

/** Nothing to mend. */
export function ok(message: string, advice: string | null = null): Finding {
  return { level: 'ok', message, advice }
}

/** Some predictions may fail, or cost more than they should. */
export function warning(message: string, advice: string): Finding {
  return { level: 'warning', message, advice }
}

/** Predictions fail until it is mended. */
export function problem(message: string, advice: string): Finding {
  return { level: 'problem', message, advice }
}

/** The same findings, about this. */
export function about(subject: string, findings: readonly Finding[]): Reported[] {
  return findings.map(finding => ({ about: subject, ...finding }))
}

/** `7.5 MB`; a megabyte has a million bytes. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

/** `90 s`, `10 min`. */
export function duration(ms: number): string {
  return ms % 60_000 === 0 && ms >= 120_000 ? `${ms / 60_000} min` : `${Number((ms / 1000).toFixed(1))} s`
}

/** An amount with three digits that count. */
export function usd(amount: number): string {
  return String(Number(amount.toPrecision(3)))
}
