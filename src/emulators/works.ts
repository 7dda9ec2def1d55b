import type { Clock } from '../core/clock.ts'
import { pause } from './connection.ts'
import type { Work } from './contract.ts'

export interface EchoOptions {
  readonly clock: Clock
  /** Time on the clock from start to result. Default 10 s. */
  readonly durationMs?: number
  /** Progress reports on the way. Default 10. */
  readonly steps?: number
}

/** A work that takes its time and gives back the input's first file, or the input itself as JSON when it has none. */
export function createEchoWork({ clock, durationMs = 10_000, steps = 10 }: EchoOptions): Work {
  return async ({ input, files }, report, signal) => {
    for (let step = 1; step <= steps; step++) {
      await pause(clock, durationMs / steps, signal)
      report(step / steps, `step ${step} of ${steps}`)
    }
    const [file] = Object.values(files)
    const body = file ?? new Blob([JSON.stringify(input)], { type: 'application/json' })
    return [{ name: `echo.${extension(body.type)}`, mediaType: body.type || 'application/octet-stream', body }]
  }
}

/** A work that takes its time and always gives the same bytes, for runs without a real model. */
export function createFixedWork(
  options: EchoOptions & { readonly name: string; readonly mediaType: string; readonly bytes: Uint8Array<ArrayBuffer> },
): Work {
  const echo = createEchoWork(options)
  const body = new Blob([options.bytes], { type: options.mediaType })
  return async (task, report, signal) => {
    await echo(task, report, signal)
    return [{ name: options.name, mediaType: options.mediaType, body }]
  }
}

function extension(mediaType: string): string {
  return (
    { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/webp': 'webp', 'application/json': 'json' }[mediaType] ?? 'bin'
  )
}
