import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { extname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createFailure, refuse, SurefootError } from '../core/failure.ts'
import { exitCodes } from './exit-codes.ts'

/** Longest that one photo may take: a phone's 48 megapixels need about ten seconds. */
const limitMs = 60_000

/**
 * A HEIC photo as JPEG, the right way up, with its lens and without coordinates. Decoded in a process of its own, because
 * decoders of files from outside are where memory is corrupted: it holds no secret, is given no environment, and is killed
 * after a minute or with the signal. Fails with `input_invalid` for what cannot be decoded, `internal` where the decoder
 * is not installed, and with the signal's reason.
 */
export async function* convertHeic(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  signal.throwIfAborted()
  const entry = new URL(`./convert-heic-process${extname(import.meta.url)}`, import.meta.url)
  const child = spawn(process.execPath, [fileURLToPath(entry)], {
    env: {},
    stdio: ['pipe', 'pipe', 'ignore'],
    windowsHide: true,
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  const ended = once(child, 'close')
  const kill = () => void child.kill('SIGKILL')
  signal.addEventListener('abort', kill, { once: true })
  try {
    // A process that ends early closes the pipe; its exit code says why.
    const fed = pipeline(Readable.from(body), child.stdin).catch(() => {})
    for await (const chunk of child.stdout) yield chunk
    await fed
    const [code] = await ended
    signal.throwIfAborted()
    if (code === 0) return
    if (code === exitCodes.notInstalled)
      throw new SurefootError(
        createFailure('internal', 'HEIC photos need the package heic-decode, which is not installed.', {
          fault: 'config',
          advice: 'Install heic-decode beside surefoot, or send the photo as JPEG.',
        }),
      )
    refuse('input_invalid', 'The photo is a HEIC file that cannot be decoded.', {
      advice: 'Export it as JPEG and send that.',
    })
  } finally {
    signal.removeEventListener('abort', kill)
    kill()
  }
}
