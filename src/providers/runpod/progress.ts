import { z } from 'zod'
import type { Progress } from '../../core/prediction.ts'
import { vendorWords } from '../http.ts'

/** Our kits' own form. */
const kitSchema = z.looseObject({
  fraction: z.number().min(0).max(1),
  stage: z.string().max(80).nullish().catch(null),
})

/** Names under which handlers report a percentage, 0 to 100. */
const percentKeys = ['pct', 'percent', 'percentage', 'progress'] as const

/**
 * A progress update as handlers send it: our kits' `{ stage, fraction }`, a percentage under one of its usual names, or a
 * text with one. Of anything else the text becomes the stage, so that a change in it is still a visible change; of addresses
 * in it only their origin, because they may be signed.
 */
export function progressOf(update: unknown): Progress | null {
  if (update === undefined || update === null || update === '') return null
  const kit = kitSchema.safeParse(update)
  if (kit.success) return { stage: kit.data.stage ?? null, fraction: kit.data.fraction }
  if (typeof update === 'object') {
    const key = percentKeys.find(name => typeof Reflect.get(update, name) === 'number')
    if (key !== undefined) {
      const value = Number(Reflect.get(update, key))
      // `progress` alone is used for both; up to 1 it can only be a fraction.
      return { stage: null, fraction: bounded(key === 'progress' && value <= 1 ? value : value / 100) }
    }
  }
  const text = typeof update === 'string' ? update : JSON.stringify(update)
  const percent = /(\d{1,3}(?:\.\d+)?)\s*%/.exec(text.slice(0, 4000))?.[1]
  if (percent !== undefined) return { stage: null, fraction: bounded(Number(percent) / 100) }
  return { stage: vendorWords(text).slice(0, 80), fraction: null }
}

function bounded(fraction: number): number {
  return Math.min(1, Math.max(0, fraction))
}
