/** A number that only grows, for each set of labels. */
export interface Counter<Label extends string> {
  /** Default: by 1. */
  add(labels: Labels<Label>, by?: number): void
  /** In the order in which they were first counted. */
  read(): readonly Counted<Label>[]
}

/** How values are spread, for each set of labels. */
export interface Histogram<Label extends string> {
  observe(labels: Labels<Label>, value: number): void
  read(): readonly Distribution<Label>[]
}

export type Labels<Label extends string> = Readonly<Record<Label, string>>

export interface Counted<Label extends string = string> {
  readonly labels: Labels<Label>
  readonly value: number
}

export interface Distribution<Label extends string = string> {
  readonly labels: Labels<Label>
  /** Upper bounds, rising, each with how many values are at most that; values beyond the last are in `count` only. */
  readonly buckets: readonly { readonly most: number; readonly count: number }[]
  readonly count: number
  readonly sum: number
}

/** Starts with no labels: each set is there from its first `add` on. Label values must come from a bounded set. */
export function createCounter<const Label extends string>(names: readonly Label[]): Counter<Label> {
  const counted = new Map<string, { labels: Labels<Label>; value: number }>()
  return {
    add(labels, by = 1) {
      const key = toKey(names, labels)
      const entry = counted.get(key) ?? { labels: only(names, labels), value: 0 }
      entry.value += by
      counted.set(key, entry)
    },
    read: () => [...counted.values()].map(entry => ({ ...entry })),
  }
}

/** `bounds` rise; a value counts in every bucket whose bound it does not exceed. */
export function createHistogram<const Label extends string>(
  names: readonly Label[],
  bounds: readonly number[],
): Histogram<Label> {
  const spreads = new Map<string, { labels: Labels<Label>; within: number[]; count: number; sum: number }>()
  return {
    observe(labels, value) {
      const key = toKey(names, labels)
      const spread = spreads.get(key) ?? { labels: only(names, labels), within: bounds.map(() => 0), count: 0, sum: 0 }
      spread.count += 1
      spread.sum += value
      const index = bounds.findIndex(bound => value <= bound)
      if (index >= 0) spread.within[index] = (spread.within[index] ?? 0) + 1
      spreads.set(key, spread)
    },
    read: () =>
      [...spreads.values()].map(({ labels, within, count, sum }) => {
        let below = 0
        const buckets = bounds.map((most, index) => {
          below += within[index] ?? 0
          return { most, count: below }
        })
        return { labels, buckets, count, sum }
      }),
  }
}

/** Callers may hand over more than the names say; in the order of the names. */
function only<Label extends string>(names: readonly Label[], labels: Labels<Label>): Labels<Label> {
  return Object.fromEntries(names.map(name => [name, labels[name]])) as Labels<Label>
}

function toKey<Label extends string>(names: readonly Label[], labels: Labels<Label>): string {
  return JSON.stringify(names.map(name => labels[name]))
}
