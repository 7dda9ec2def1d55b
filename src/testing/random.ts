import type { Random } from '../core/clock.ts'

/** Seeded dice (mulberry32): the same seed gives the same numbers on every machine. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Ids from seeded dice: 24 lower-case letters and digits. */
export function createSeededIds(random: Random): () => string {
  return () => {
    let id = ''
    while (id.length < 24) id += alphabet[Math.floor(random() * alphabet.length)]
    return id
  }
}
