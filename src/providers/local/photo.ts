import { readFile } from 'node:fs/promises'
import exifr from 'exifr'
import sharp from 'sharp'
import { refuse, SurefootError } from '../../core/failure.ts'

/** A photo as the relief engine takes it. */
export interface Photo {
  /** Size of `data` in pixels. */
  readonly width: number
  readonly height: number
  /** Rows of 8-bit sRGB red, green, blue; the right way up. */
  readonly data: Uint8Array
  /** Size before it was made smaller, after its rotation. */
  readonly originalWidth: number
  readonly originalHeight: number
  /** Focal length in pixels of the original size. */
  readonly focalPx: number
  readonly focalSource: 'input' | 'exif-35mm' | 'exif' | 'default'
}

/** Decoders take memory by the pixel, whatever the file's size. */
const maxPixels = 100_000_000

/** SHARP's guess for a photo that does not tell; as wide as a phone's main camera. */
const defaultFocal35mm = 30

/** Diagonal of the 36 x 24 mm frame that 35 mm focal lengths refer to. */
const frameDiagonalMm = Math.hypot(36, 24)

/**
 * Decodes a JPEG, PNG, WebP or AVIF photo: rotation and mirroring applied, colour profile converted to sRGB, transparency
 * on white, long side at most `maxSide` pixels. `focalLength35mm` (mm) replaces what the photo says of its lens.
 * Throws `SurefootError`: `input_invalid` for other formats, animations, broken or cut files; `input_too_large` over 100
 * megapixels.
 */
export async function readPhoto(
  path: string,
  options: { focalLength35mm?: number | null; maxSide?: number } = {},
): Promise<Photo> {
  const { focalLength35mm = null, maxSide = 1536 } = options
  if (focalLength35mm !== null && !(Number.isFinite(focalLength35mm) && focalLength35mm > 0))
    refuse('input_invalid', 'The focal length must be a number of millimetres above zero.')
  // Bytes, not the path: libvips caches by path and would answer for a file that was replaced, and its messages name it.
  const bytes = await readFile(path)
  refuseOtherFormats(bytes)
  try {
    const metadata = await sharp(bytes, { limitInputPixels: false }).metadata()
    if (metadata.width * metadata.height > maxPixels)
      refuse(
        'input_too_large',
        `The photo has ${metadata.width} x ${metadata.height} pixels; 100 megapixels are allowed.`,
      )
    if ((metadata.pages ?? 1) > 1)
      refuse('input_invalid', `The picture is animated (${metadata.pages} frames); send a single photo.`)
    const { width: originalWidth, height: originalHeight } = metadata.autoOrient
    const scale = Math.min(1, maxSide / Math.max(originalWidth, originalHeight))
    // `failOn: 'truncated'` because a decoder left to itself fills the missing rows with grey and reports success.
    const { data, info } = await sharp(bytes, { failOn: 'truncated', limitInputPixels: maxPixels })
      .autoOrient()
      .resize({
        width: Math.max(1, Math.round(originalWidth * scale)),
        height: Math.max(1, Math.round(originalHeight * scale)),
        fit: 'fill',
      })
      .flatten({ background: '#ffffff' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const focal = await findFocalLength(focalLength35mm, metadata.exif)
    return {
      width: info.width,
      height: info.height,
      data,
      originalWidth,
      originalHeight,
      focalPx: (focal.mm * Math.hypot(originalWidth, originalHeight)) / frameDiagonalMm,
      focalSource: focal.source,
    }
  } catch (error) {
    if (SurefootError.is(error)) throw error
    return refuse('input_invalid', `The photo cannot be decoded: ${firstLine(error)}.`, { cause: error })
  }
}

/**
 * Looks at the first bytes before any decoder does: libvips would also try SVG, PDF-like and old formats, whose parsers
 * have no business with files from outside.
 */
function refuseOtherFormats(bytes: Buffer): void {
  const text = bytes.toString('latin1', 0, 16)
  const known =
    text.startsWith('\xff\xd8\xff') ||
    text.startsWith('\x89PNG\r\n\x1a\n') ||
    (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') ||
    (text.slice(4, 8) === 'ftyp' && /^(avif|avis|mif1|msf1)/.test(text.slice(8)))
  if (!known) refuse('input_invalid', 'The photo must be a JPEG, PNG, WebP or AVIF file.')
}

/**
 * SHARP's rules, so that both engines see the same camera: the 35 mm equivalent where it is at least 1, else the focal
 * length itself, times 8.4 (a phone's small sensor) below 10 mm, else 30 mm. Source: apple/ml-sharp, `utils/io.py`.
 */
async function findFocalLength(
  input: number | null,
  exif: Buffer | undefined,
): Promise<{ mm: number; source: Photo['focalSource'] }> {
  if (input !== null) return { mm: input, source: 'input' }
  const tags = exif === undefined ? {} : await readTags(exif)
  // exifr's name for tag 0xA405, which everybody else calls FocalLengthIn35mmFilm.
  const equivalent = tags.FocalLengthIn35mmFormat
  if (typeof equivalent === 'number' && Number.isFinite(equivalent) && equivalent >= 1)
    return { mm: equivalent, source: 'exif-35mm' }
  const focal = tags.FocalLength
  if (typeof focal === 'number' && Number.isFinite(focal) && focal > 0)
    return { mm: focal < 10 ? focal * 8.4 : focal, source: 'exif' }
  return { mm: defaultFocal35mm, source: 'default' }
}

/** Broken EXIF is common in good photos: it counts as absent. */
async function readTags(exif: Buffer): Promise<Record<string, unknown>> {
  const prefix = Buffer.from('Exif\0\0')
  const tiff = exif.subarray(0, prefix.length).equals(prefix) ? exif.subarray(prefix.length) : exif
  try {
    return (await exifr.parse(tiff, { pick: ['FocalLengthIn35mmFormat', 'FocalLength'] })) ?? {}
  } catch {
    return {}
  }
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
