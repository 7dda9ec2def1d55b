import { createFailure, SurefootError } from '../core/failure.ts'
import type { ReadableFile, Verdict } from './contract.ts'
import { createImageInput } from './image-input.ts'

const pictures = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/avif'])

/**
 * What can be said of an output by its bytes alone: it is not empty; a picture that was promised is whole and of its kind;
 * and whatever was promised, a page in HTML is what a proxy says instead, unless a page was promised.
 */
export function verifyBytes(mediaType: string): (file: ReadableFile) => Promise<Verdict> {
  return async file => {
    if (file.bytes === 0) return invalid('The output is an empty file.')
    if (mediaType !== 'text/html' && (await startsAsPage(file)))
      return invalid(`The output is a page in HTML, not ${mediaType}.`)
    return pictures.has(mediaType) ? await verifyPicture(file, mediaType) : { valid: true, facts: {} }
  }
}

async function verifyPicture(file: ReadableFile, mediaType: string): Promise<Verdict> {
  try {
    const found = await createImageInput('output').check(file)
    if (found.mediaType !== mediaType) return invalid(`The output is ${found.mediaType}, not ${mediaType}.`)
    const { width, height } = found.facts
    return { valid: true, facts: { width, height } }
  } catch (error) {
    if (SurefootError.is(error)) return invalid(error.failure.message)
    throw error
  }
}

async function startsAsPage(file: ReadableFile): Promise<boolean> {
  const { body } = await file.open({ start: 0, end: 255 })
  return /^\s*<(!doctype html|html)\b/i.test(await new Response(body).text())
}

function invalid(message: string): Verdict {
  return { valid: false, failure: createFailure('output_invalid', message) }
}
