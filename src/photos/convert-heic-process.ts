import { buffer } from 'node:stream/consumers'
import exifr from 'exifr'
import sharp, { type Exif } from 'sharp'
import { exifOfHeif } from '../models/image/heif-items.ts'
import { exitCodes } from './exit-codes.ts'

/** Entry of a process: HEIC on stdin becomes JPEG on stdout; how it ends is its exit code. */

/** Close to the original for eyes and models alike; a file about twice the HEIC's size. */
const quality = 92

let decode: typeof import('heic-decode')
try {
  decode = (await import('heic-decode')).default
} catch {
  process.exit(exitCodes.notInstalled)
}
try {
  const bytes = await buffer(process.stdin)
  const { width, height, data } = await decode({ buffer: bytes })
  const jpeg = await sharp(data, { raw: { width, height, channels: 4 } })
    .flatten({ background: '#ffffff' })
    .withExif(await lensOf(bytes))
    .jpeg({ quality, chromaSubsampling: '4:4:4' })
    .toBuffer()
  // A pipe may take it in pieces: only when all of them are taken may the process end.
  process.stdout.end(jpeg, () => process.exit(0))
} catch {
  process.exit(exitCodes.undecodable)
}

/** What is worth keeping of the camera: its name and its lens. The decoder has turned the picture upright already. */
async function lensOf(bytes: Buffer): Promise<Exif> {
  const exif = exifOfHeif(bytes)
  const pick = ['Make', 'Model', 'FocalLength', 'FocalLengthIn35mmFormat']
  const tags = exif === null ? null : await exifr.parse(exif, { pick }).catch(() => null)
  const { Make, Model, FocalLength, FocalLengthIn35mmFormat } = tags ?? {}
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  const positive = (value: unknown) => (typeof value === 'number' && value > 0 ? value : undefined)
  const focal = positive(FocalLength)
  const focal35 = positive(FocalLengthIn35mmFormat)
  return {
    IFD0: { ...(text(Make) && { Make }), ...(text(Model) && { Model }) },
    IFD2: {
      ...(focal && { FocalLength: `${Math.round(focal * 1000)}/1000` }),
      ...(focal35 && { FocalLengthIn35mmFilm: String(Math.round(focal35)) }),
    },
  }
}
