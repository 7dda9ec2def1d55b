import { reliefRecipe } from '../relief/relief.ts'
import type { Model } from './contract.ts'
import { defineModel } from './define-model.ts'
import { photoToSplat } from './photo-to-splat.ts'

/** The preview that needs no network, no GPU and no weights: depth from classical cues, with an invented scale. */
export const relief: Model = defineModel({
  ...photoToSplat,
  // Of the bundled rocket: 357,043 splats of 56 bytes.
  output: { ...photoToSplat.output, usualBytes: 19_994_408 },
  name: 'surefoot/relief',
  recipe: String(reliefRecipe),
  description:
    'A preview: a 3D Gaussian splat from one photo within seconds on any machine, made by classical depth cues instead of a neural network. Not SHARP.',
  notice: 'This is a preview made without a neural network. It is not SHARP, and its depth and scale are guesses.',
})
