import { approach, clampView, isSameView, type Limits, photoView, swayAt, type View } from './camera.ts'

/**
 * Where the eye is and where it wants to be. Two modes: `led` (a person drags, types or scrolls; the eye eases to what they
 * asked for) and `idle` (it sways by itself). Any input leads; idle begins again after `idleAfterSeconds` without input.
 * Time comes in as an argument, in seconds; nothing here knows the screen.
 */
export interface Orbit {
  /** Moves the eye by parts of its limits: 1 is from the middle to the edge. Positive is right and up. */
  turn(right: number, up: number, now: number): void
  /** Moves closer by this part of the way between closest and farthest; negative moves away. False at the end of the way. */
  approach(part: number, now: number): boolean
  /** Back to where the photo was taken. */
  reset(now: number): void
  /** True allows the idle sway (false for people who asked for less motion). */
  allowSway(allowed: boolean): void
  /** The view at this moment; `moving` is false when the picture would not change. */
  advance(now: number): { readonly view: View; readonly moving: boolean }
}

const idleAfterSeconds = 6

export function createOrbit(limits: Limits): Orbit {
  let current = photoView(limits)
  let wanted = current
  let swayAllowed = false
  let touchedAt = Number.NEGATIVE_INFINITY
  let idleSince: number | null = null
  let last: number | null = null

  function lead(view: View, now: number): void {
    wanted = clampView(view, limits)
    touchedAt = now
    idleSince = null
  }

  return {
    turn(right, up, now) {
      const { azimuth, elevation, distance } = wanted
      lead({ azimuth: azimuth + right * limits.azimuth, elevation: elevation + up * limits.elevation, distance }, now)
    },
    approach(part, now) {
      const before = wanted.distance
      lead({ ...wanted, distance: before - part * (limits.farthest - limits.closest) }, now)
      return wanted.distance !== before
    },
    reset(now) {
      lead(photoView(limits), now)
    },
    allowSway(allowed) {
      swayAllowed = allowed
      if (allowed || idleSince === null) return
      idleSince = null
      wanted = photoView(limits)
    },
    advance(now) {
      const seconds = last === null ? 1 / 60 : now - last
      const idle = swayAllowed && now - touchedAt >= idleAfterSeconds
      if (idle) {
        idleSince ??= now
        wanted = swayAt(now - idleSince, limits)
      }
      const before = current
      current = isSameView(current, wanted) ? wanted : approach(current, wanted, seconds)
      const moving = idle || before !== current || !isSameView(current, wanted)
      // Standing still is no part of the next movement.
      last = moving ? now : null
      return { view: current, moving }
    },
  }
}
