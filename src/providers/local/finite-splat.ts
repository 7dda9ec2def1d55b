import { open } from 'node:fs/promises'
import { maxPlyHeaderBytes, parsePlyHeader } from '../../splat/ply-header.ts'
import { sharpProperties } from '../../splat/sharp-layout.ts'

const rowBytes = sharpProperties.length * 4
const rowsAtOnce = 16_384

/**
 * What takes the place of an infinity: a logit whose opacity differs from 0 or 1 by less than 8 bits can show, and the
 * logarithm of a ten-millionth of a metre.
 */
const bounds: readonly (readonly [column: number, least: number, most: number])[] = [
  [sharpProperties.indexOf('opacity'), -16, 16],
  ...['scale_0', 'scale_1', 'scale_2'].map((name): [number, number, number] => [
    sharpProperties.indexOf(name as 'scale_0'),
    -16,
    Number.POSITIVE_INFINITY,
  ]),
]

/**
 * Replaces, in place, the infinities that SHARP's own writer leaves where an opacity saturates or a splat has no extent
 * (apple/ml-sharp, `save_ply`, does not clamp): viewers and converters break on them. NaN and everything else stays as it
 * is, for the verification to judge; so does a file of another layout. Answers how many numbers were replaced.
 */
export async function makeFinite(path: string): Promise<number> {
  const file = await open(path, 'r+')
  try {
    const head = Buffer.alloc(maxPlyHeaderBytes)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    const parsed = parsePlyHeader(head.subarray(0, bytesRead))
    const vertex = parsed.kind === 'header' ? parsed.header.elements[0] : undefined
    if (parsed.kind !== 'header' || vertex?.name !== 'vertex') return 0
    if (vertex.properties.map(({ name, type }) => `${type} ${name}`).join() !== sharpColumns) return 0
    let replaced = 0
    const rows = Buffer.alloc(rowsAtOnce * rowBytes)
    for (let row = 0; row < vertex.count; row += rowsAtOnce) {
      const position = parsed.bytes + row * rowBytes
      const wanted = Math.min(rowsAtOnce, vertex.count - row) * rowBytes
      const read = (await file.read(rows, 0, wanted, position)).bytesRead
      const changed = clamp(rows, Math.floor(read / rowBytes))
      if (changed > 0) await file.write(rows, 0, read, position)
      replaced += changed
      if (read < wanted) break
    }
    return replaced
  } finally {
    await file.close()
  }
}

const sharpColumns = sharpProperties.map(name => `float ${name}`).join()

function clamp(rows: Buffer, count: number): number {
  const view = new DataView(rows.buffer, rows.byteOffset, rows.byteLength)
  let changed = 0
  for (let row = 0; row < count; row++)
    for (const [column, least, most] of bounds) {
      const at = row * rowBytes + column * 4
      const value = view.getFloat32(at, true)
      if (Number.isFinite(value) || Number.isNaN(value)) continue
      const bound = value > 0 ? most : least
      if (!Number.isFinite(bound)) continue
      view.setFloat32(at, bound, true)
      changed++
    }
  return changed
}
