/** Floats per Gaussian, in the order of SHARP's PLY: x y z, f_dc 0-2, opacity, scale 0-2, rotation w x y z. */
export const gaussianFloats = 14

/** A grid cell's place in space: a pinhole camera at the origin, x right, y down, z forward, metres. */
export interface Camera {
  /** Cells of the grid. */
  readonly width: number
  readonly height: number
  /** Focal length in cells, across and down (they differ by rounding only). */
  readonly focalX: number
  readonly focalY: number
}

/** Nearest and farthest metre of a scene; one photo does not tell its size, so the scale is invented. */
export const nearMetres = 1.6
export const farMetres = 14

/** Disparity 0 to 1 is linear in 1/z between the two. */
export function toMetres(disparity: number): number {
  return 1 / (1 / farMetres + disparity * (1 / nearMetres - 1 / farMetres))
}

/** Sigma in cells: neighbours overlap enough to close the surface and stay sharp. */
const spread = 0.68

/** A logit that no viewer tells from opaque. */
const opaque = 7

/** Zeroth spherical harmonic, 1 / (2 sqrt(pi)): colours are stored as (c - 0.5) / this. */
const sh0 = 0.28209479177387814

/**
 * Writes one Gaussian for a grid cell: facing the camera, as wide as the cell at its depth times `enlarge`, half as deep.
 * Tilted to the surface it would leave gaps as soon as the eye moves. `colour` holds 0 to 255 at `at`.
 */
export function writeGaussian(
  vertices: Float32Array,
  place: number,
  camera: Camera,
  cell: { readonly x: number; readonly y: number; readonly disparity: number; readonly enlarge: number },
  colours: Float32Array,
  at: number,
): void {
  const z = toMetres(cell.disparity)
  const width = Math.log((spread * cell.enlarge * z) / camera.focalX)
  const height = width + Math.log(camera.focalX / camera.focalY)
  vertices[place] = ((cell.x + 0.5 - camera.width / 2) / camera.focalX) * z
  vertices[place + 1] = ((cell.y + 0.5 - camera.height / 2) / camera.focalY) * z
  vertices[place + 2] = z
  for (let channel = 0; channel < 3; channel++)
    vertices[place + 3 + channel] = ((colours[at + channel] as number) / 255 - 0.5) / sh0
  vertices[place + 6] = opaque
  vertices[place + 7] = width
  vertices[place + 8] = height
  vertices[place + 9] = Math.min(width, height) - Math.LN2
  vertices[place + 10] = 1
}
