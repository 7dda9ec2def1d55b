import type { Random } from '../core/clock.ts'

/** Dice that a seed replays. Not for secrets. */
export function createSeededRandom(seed: number): Random {
  // A Weyl sequence through a 32-bit mixer: short, even, and the same on every machine.
  let state = seed >>> 0
  return () => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}
