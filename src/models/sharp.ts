import type { Model } from './contract.ts'
import { defineModel } from './define-model.ts'
import { photoToSplat } from './photo-to-splat.ts'

/** Apple's SHARP (apple/ml-sharp). Surefoot brings no weights: whoever runs it fetches them under Apple's terms. */
export const sharp: Model = defineModel({
  ...photoToSplat,
  output: { ...photoToSplat.output, usualBytes: 66_061_086 },
  name: 'surefoot/sharp',
  description: "A metric 3D Gaussian splat from one photo by Apple's SHARP: 1,179,648 splats in two layers.",
  notice:
    "SHARP's weights are licensed under the Apple Machine Learning Research Model License Agreement: for research purposes only, no commercial use. Whoever runs this model must have accepted it.",
  // The paper's second is the forward pass alone, on an A100; reading the photo, writing 66 MB and sending them come on top.
  // A cold worker starts a container and brings 2.8 GB of weights to the GPU.
  stated: {
    run: 5,
    coldStart: 60,
    source: 'our estimate; the paper, arXiv 2512.10685, has under a second for the network alone on an A100',
    asOf: '2026-11-24',
  },
})
