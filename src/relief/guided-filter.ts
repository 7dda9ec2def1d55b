import { boxMean, fillPlane, type Plane } from './plane.ts'

/** A photo as three planes of one size: luma and two chromas, or any other three. */
export type ColourPlanes = readonly [Plane, Plane, Plane]

/** A plane as local linear models of a photo's colour: `scales . colour + offset`. */
export interface LinearModels {
  readonly scales: ColourPlanes
  readonly offset: Plane
}

/**
 * The guided filter with a colour guide (He et al. 2010), apart in two steps: a local linear model of the input in terms
 * of the photo's colour, then its application. Apart, because the models of a small depth map can be enlarged and applied
 * to a large photo, whose edges the depth then has. Answers a function from inputs to models; what depends on the photo
 * alone is computed once. `epsilon` is the colour variance below which a region counts as flat.
 */
export function createGuide(guide: ColourPlanes, radius: number, epsilon: number): (input: Plane) => LinearModels {
  const [first, second, third] = guide
  const product = (a: Plane, b: Plane) =>
    boxMean(
      fillPlane(a, index => (a.data[index] as number) * (b.data[index] as number)),
      radius,
    )
  const means = guide.map(plane => boxMean(plane, radius)) as unknown as ColourPlanes
  const squares = [
    product(first, first),
    product(first, second),
    product(first, third),
    product(second, second),
    product(second, third),
    product(third, third),
  ].map(plane => plane.data) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array, Float32Array]
  const inverse = invertCovariances(means, squares, epsilon)
  return input => {
    const inputMean = boxMean(input, radius)
    const products = guide.map(plane => product(plane, input).data) as [Float32Array, Float32Array, Float32Array]
    const scales = guide.map(plane => fillPlane(plane, () => 0)) as unknown as ColourPlanes
    const offset = fillPlane(inputMean, index => {
      const mean = inputMean.data[index] as number
      const m0 = means[0].data[index] as number
      const m1 = means[1].data[index] as number
      const m2 = means[2].data[index] as number
      const c0 = (products[0][index] as number) - m0 * mean
      const c1 = (products[1][index] as number) - m1 * mean
      const c2 = (products[2][index] as number) - m2 * mean
      const at = 6 * index
      const [i00, i01, i02] = [inverse[at] as number, inverse[at + 1] as number, inverse[at + 2] as number]
      const [i11, i12, i22] = [inverse[at + 3] as number, inverse[at + 4] as number, inverse[at + 5] as number]
      const a0 = i00 * c0 + i01 * c1 + i02 * c2
      const a1 = i01 * c0 + i11 * c1 + i12 * c2
      const a2 = i02 * c0 + i12 * c1 + i22 * c2
      scales[0].data[index] = a0
      scales[1].data[index] = a1
      scales[2].data[index] = a2
      return mean - a0 * m0 - a1 * m1 - a2 * m2
    })
    return {
      scales: scales.map(plane => boxMean(plane, radius)) as unknown as ColourPlanes,
      offset: boxMean(offset, radius),
    }
  }
}

/** Upper triangles of (covariance + epsilon)^-1, six numbers per pixel. */
function invertCovariances(means: ColourPlanes, squares: readonly Float32Array[], epsilon: number): Float64Array {
  const [s00, s01, s02, s11, s12, s22] = squares as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  const inverse = new Float64Array(6 * s00.length)
  for (let index = 0; index < s00.length; index++) {
    const m0 = means[0].data[index] as number
    const m1 = means[1].data[index] as number
    const m2 = means[2].data[index] as number
    const c00 = Math.max(0, (s00[index] as number) - m0 * m0) + epsilon
    const c11 = Math.max(0, (s11[index] as number) - m1 * m1) + epsilon
    const c22 = Math.max(0, (s22[index] as number) - m2 * m2) + epsilon
    const c01 = (s01[index] as number) - m0 * m1
    const c02 = (s02[index] as number) - m0 * m2
    const c12 = (s12[index] as number) - m1 * m2
    const k00 = c11 * c22 - c12 * c12
    const k01 = c02 * c12 - c01 * c22
    const k02 = c01 * c12 - c02 * c11
    // The determinant is at least epsilon^3 but for rounding.
    const scale = 1 / Math.max(c00 * k00 + c01 * k01 + c02 * k02, epsilon ** 3)
    const at = 6 * index
    inverse[at] = k00 * scale
    inverse[at + 1] = k01 * scale
    inverse[at + 2] = k02 * scale
    inverse[at + 3] = (c00 * c22 - c02 * c02) * scale
    inverse[at + 4] = (c01 * c02 - c00 * c12) * scale
    inverse[at + 5] = (c00 * c11 - c01 * c01) * scale
  }
  return inverse
}

/** Applies models to a photo of their own size. */
export function applyModels({ scales, offset }: LinearModels, guide: ColourPlanes): Plane {
  const [a0, a1, a2] = scales
  const [g0, g1, g2] = guide
  return fillPlane(
    offset,
    index =>
      (a0.data[index] as number) * (g0.data[index] as number) +
      (a1.data[index] as number) * (g1.data[index] as number) +
      (a2.data[index] as number) * (g2.data[index] as number) +
      (offset.data[index] as number),
  )
}
