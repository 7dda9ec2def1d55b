import { z } from '@hono/zod-openapi'
import { refuse } from '../core/failure.ts'
import type { PageJson } from './shapes.ts'

/** Items of one page, as Replicate has it. */
export const pageSize = 100

export const cursorQuery: z.ZodOptional<z.ZodString> = z
  .string()
  .max(500)
  .optional()
  .openapi({ description: 'From `next` of the page before.' })

const positionSchema = z.tuple([z.int(), z.string()])

/** Where a list of predictions goes on. */
export interface Position {
  readonly createdAt: number
  readonly id: string
}

export function toCursor({ createdAt, id }: Position): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url')
}

/** Reads a cursor back; one that is not ours ends as `input_invalid`. */
export function parseCursor(cursor: string): Position {
  try {
    const [createdAt, id] = positionSchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    return { createdAt, id }
  } catch {
    return refuse('input_invalid', 'cursor: is not one that a page named as its next.')
  }
}

/**
 * One page out of `pageSize + 1` rows: the extra row only tells that there is more. `previous` is always null: lists
 * are walked from the newest on.
 */
export function toPage<Row, View>(
  rows: readonly Row[],
  options: { view(row: Row): View; next(last: Row): string },
): PageJson<View> {
  const kept = rows.slice(0, pageSize)
  const last = kept.at(-1)
  return {
    next: rows.length > pageSize && last !== undefined ? options.next(last) : null,
    previous: null,
    results: kept.map(options.view),
  }
}
