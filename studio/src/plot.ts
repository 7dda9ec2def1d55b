/** The end of an axis that holds `value`: 1, 2 or 5 times a power of ten; 1 where there is nothing to hold. */
export function niceEnd(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const factor = [1, 2, 5, 10].find(candidate => candidate * power >= value * (1 - 1e-9)) ?? 10
  // Powers below one are not exact: 3 * 0.1 is not 0.3.
  return Number((factor * power).toPrecision(1))
}

/** Where a value stands on an axis from 0 to `end`, as SVG wants it: `62.5%`. Beyond the end is at the end. */
export function place(value: number, end: number): string {
  return `${Math.round(Math.min(1, Math.max(0, value / end)) * 10_000) / 100}%`
}
