import { isAbsolute } from 'node:path'
import { z } from 'zod'

/** Where Apple's `sharp` is and on what it runs. */
export interface SharpTarget {
  /** Absolute path of the `sharp` command, as in a virtual environment's `bin`. Default: `sharp` on the gateway's PATH. */
  readonly command?: string
  /** Default: CUDA or MPS, whichever is there; the processor only where it is named, because it takes minutes. */
  readonly device?: 'cuda' | 'mps' | 'cpu'
  /** Absolute path of the weights. Default: what `sharp` has in its cache, which it downloads where that is empty. */
  readonly checkpoint?: string
}

const path = z.string().refine(isAbsolute, 'is not an absolute path')

/** The fields of a target that only this engine reads. */
export const sharpTargetShape: {
  readonly command: z.ZodOptional<z.ZodString>
  readonly device: z.ZodOptional<z.ZodEnum<{ cuda: 'cuda'; mps: 'mps'; cpu: 'cpu' }>>
  readonly checkpoint: z.ZodOptional<z.ZodString>
} = {
  command: path.optional(),
  device: z.enum(['cuda', 'mps', 'cpu']).optional(),
  checkpoint: path.optional(),
}

export const sharpTargetSchema: z.ZodType<SharpTarget> = z.object(sharpTargetShape)

/** What is run where the target names no command. */
export const usualCommand = 'sharp'
