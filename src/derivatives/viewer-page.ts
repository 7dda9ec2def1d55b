import type { JsonObject } from '../core/json.ts'
import type { SideCar } from '../splat/side-car.ts'

/** Seconds of one sway, and its key frames. */
const swaySeconds = 8
const frameRate = 30
const steps = 8
/** Share of the reach that the sway uses: people who hold still should not be led to its edge. */
const share = 0.6
/** Hides the photo's border while the eye moves. */
const margin = 0.92

/**
 * Settings of the SuperSplat viewer for a scene that was seen from one place: the camera stands where the photo was taken
 * and sways within its reach. Without a track of its own the viewer would take a camera outside the scene's bounds, which
 * the origin always is, for one around an object, and turn round it: https://github.com/playcanvas/supersplat-viewer.
 * The engine turns PLY scenes by 180 degrees about z, so the scene lies along +z, and y goes up.
 */
export function toViewerSettings(sideCar: SideCar): JsonObject {
  const { focus, reach, image, focal_px: focal } = sideCar
  // The viewer's angle is that of the longer side of its window.
  const longer = image === null || focal === null ? 1 : Math.max(image.width, image.height) / (2 * focal)
  const fov = (2 * Math.atan(longer * margin) * 180) / Math.PI
  const target = [0, 0, focus]
  const turns = Array.from({ length: steps + 1 }, (_, index) => (2 * Math.PI * index) / steps)
  const position = turns.flatMap(turn => [
    share * reach.sideways * Math.sin(turn),
    0,
    (share * reach.forward * (1 - Math.cos(turn))) / 2,
  ])
  return {
    version: 2,
    tonemapping: 'none',
    highPrecisionRendering: false,
    background: { color: [0, 0, 0] },
    postEffectSettings: {
      sharpness: { enabled: false, amount: 0 },
      bloom: { enabled: false, intensity: 0.1, blurLevel: 2 },
      grading: { enabled: false, brightness: 1, contrast: 1, saturation: 1, tint: [1, 1, 1] },
      vignette: { enabled: false, intensity: 0.5, inner: 0.3, outer: 0.75, curvature: 1 },
      fringing: { enabled: false, intensity: 0.5 },
    },
    animTracks: [
      {
        name: 'sway',
        duration: swaySeconds,
        frameRate,
        loopMode: 'repeat',
        interpolation: 'spline',
        smoothness: 1,
        keyframes: {
          times: turns.map((_, index) => (index * swaySeconds * frameRate) / steps),
          values: { position, target: turns.flatMap(() => target), fov: turns.map(() => fov) },
        },
      },
    ],
    cameras: [{ initial: { position: [0, 0, 0], target, fov } }],
    annotations: [],
    startMode: 'animTrack',
  }
}
