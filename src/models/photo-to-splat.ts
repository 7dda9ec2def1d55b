import { z } from 'zod'
import { createFailure } from '../core/failure.ts'
import { passingChunks } from '../core/passing-chunks.ts'
import { checkSplat } from '../splat/check.ts'
import type { ReadableFile, Verdict } from './contract.ts'
import type { ModelDefinition } from './define-model.ts'
import { createImageInput } from './image-input.ts'

/** What `surefoot/relief` and `surefoot/sharp` have in common: one photo in, one splat in SHARP's PLY layout out. */
export const photoToSplat: Pick<ModelDefinition, 'input' | 'files' | 'output' | 'derives' | 'verify'> = {
  input: z.object({
    image: z.string().describe('The photo: JPEG, PNG, WebP, AVIF or HEIC, at most 50 MB and 100 megapixels.'),
    focal_length: z
      .number()
      .min(1)
      .max(1000)
      .optional()
      .describe(
        'Focal length of the lens in millimetres, as on a 35 mm film camera. Without it the photo states it, or 30 is assumed.',
      ),
  }),
  files: { image: createImageInput('image') },
  // SHARP writes 66,061,086 bytes for its 1,179,648 splats; four times that is a file that something went wrong with.
  output: { name: 'scene.ply', mediaType: 'application/octet-stream', maxBytes: 4 * 66_061_086 },
  derives: 'splat',
  verify: verifySplat,
}

/** Valid with the splat's statistics as facts; else `output_invalid` with what is wrong. One pass, flat memory. */
export async function verifySplat(file: ReadableFile): Promise<Verdict> {
  const { body } = await file.open()
  const check = await checkSplat(passingChunks(body), { bytes: file.bytes })
  if (check.valid) return { valid: true, facts: { ...check.statistics } }
  return { valid: false, failure: createFailure('output_invalid', check.problem.message) }
}
