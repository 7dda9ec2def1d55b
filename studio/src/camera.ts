/** The camera that took a photo: all three in pixels of the upright photo. */
export interface PhotoCamera {
  readonly width: number
  readonly height: number
  readonly focal: number
}

/** How far away things are, in metres: depth quantiles of the scene. */
export interface Depths {
  /** 0.1 % quantile: the nearest things. Bounds how far the eye may move. */
  readonly nearest: number
  /** 10 % quantile: where the foreground begins. The eye looks at it. */
  readonly near: number
}

/** Where the eye is on its small sphere around the focus. The photo was taken at `{ azimuth: 0, elevation: 0, distance: focus }`. */
export interface View {
  /** Radians; positive moves the eye to the right. */
  readonly azimuth: number
  /** Radians; positive moves the eye up. */
  readonly elevation: number
  /** Metres from the focus. */
  readonly distance: number
}

/** How far the eye may move before the scene shows its missing backs. */
export interface Limits {
  readonly focus: number
  readonly azimuth: number
  readonly elevation: number
  readonly closest: number
  readonly farthest: number
}

/** Part of the photo's frame that stays visible: the rest hides the frame's border while the eye moves. */
export const visibleFrame = 0.92

const degree = Math.PI / 180

/**
 * Vertical field of view, in degrees, that fills a canvas of this aspect (width / height) from the photo's own camera:
 * the photo covers the canvas, nothing is letter-boxed, and a margin of its frame stays outside.
 */
export function coverFov(photo: PhotoCamera, aspect: number): number {
  const halfHeight = photo.height / (2 * photo.focal)
  const halfWidth = photo.width / (2 * photo.focal)
  return (2 * Math.atan(Math.min(halfHeight, halfWidth / aspect) * visibleFrame)) / degree
}

/**
 * Limits for one scene. The envelope is SHARP's own: sideways 0.08 x the frame's diagonal (at depth 1) x the nearest depth,
 * forward 0.15 x the nearest depth; never more than 6 and 5 degrees, never less than 1.5, so that dragging always answers.
 */
export function orbitLimits(photo: PhotoCamera, depths: Depths): Limits {
  const focus = Math.max(2, depths.near)
  const sideways = 0.08 * Math.hypot(photo.width / photo.focal, photo.height / photo.focal) * depths.nearest
  const widest = Math.asin(Math.min(1, sideways / focus))
  return {
    focus,
    azimuth: clamp(widest, 1.5 * degree, 6 * degree),
    elevation: clamp(widest, 1.5 * degree, 5 * degree),
    closest: focus - Math.min(0.15 * focus, 0.15 * depths.nearest),
    farthest: focus * 1.05,
  }
}

/** Exactly where the photo was taken. */
export function photoView(limits: Limits): View {
  return { azimuth: 0, elevation: 0, distance: limits.focus }
}

export function clampView(view: View, limits: Limits): View {
  return {
    azimuth: clamp(view.azimuth, -limits.azimuth, limits.azimuth),
    elevation: clamp(view.elevation, -limits.elevation, limits.elevation),
    distance: clamp(view.distance, limits.closest, limits.farthest),
  }
}

/** Position of the eye in three's axes (x right, y up, looking down -z), the photo's camera being the origin. */
export function eyeAt(view: View, limits: Limits): [x: number, y: number, z: number] {
  const level = Math.cos(view.elevation) * view.distance
  return [
    Math.sin(view.azimuth) * level,
    Math.sin(view.elevation) * view.distance,
    Math.cos(view.azimuth) * level - limits.focus,
  ]
}

/** The slow idle movement after so many seconds of it: begins and passes through the photo's own view. */
export function swayAt(seconds: number, limits: Limits): View {
  const begin = Math.min(1, seconds / 3)
  const ease = begin * begin * (3 - 2 * begin)
  return {
    azimuth: ease * 0.55 * limits.azimuth * Math.sin((2 * Math.PI * seconds) / 9),
    elevation: ease * 0.3 * limits.elevation * Math.sin((2 * Math.PI * seconds) / 14),
    distance: limits.focus,
  }
}

/** Moves towards a view by exponential easing: the same speed at any frame rate. */
export function approach(from: View, to: View, seconds: number): View {
  const part = 1 - Math.exp(-seconds / 0.12)
  return {
    azimuth: from.azimuth + (to.azimuth - from.azimuth) * part,
    elevation: from.elevation + (to.elevation - from.elevation) * part,
    distance: from.distance + (to.distance - from.distance) * part,
  }
}

/** True when nobody could see the difference any more: a twentieth of a pixel or so. */
export function isSameView(a: View, b: View): boolean {
  return (
    Math.abs(a.azimuth - b.azimuth) < 2e-5 &&
    Math.abs(a.elevation - b.elevation) < 2e-5 &&
    Math.abs(a.distance - b.distance) < 1e-4
  )
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}
