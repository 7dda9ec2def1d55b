import type { WorkTask } from '../contract.ts'
import type { Files } from './files.ts'
import type { Run } from './run.ts'

/** Fetches a run's input files as the model's worker would: data URIs, uploads of ours, URLs from outside. */
export function createInputs(
  files: Files,
  send: typeof globalThis.fetch,
): (run: Run, signal: AbortSignal) => Promise<WorkTask['files']> {
  async function open(value: string, signal: AbortSignal): Promise<Blob> {
    if (value.startsWith('data:')) return decode(value)
    const uploaded = files.resolve(value)
    if (uploaded !== null) return uploaded
    const response = await send(value, { signal })
    if (!response.ok) throw new Error(`Failed to download input file: ${response.status}`)
    return await response.blob()
  }

  return async (run, signal) => {
    const found: Record<string, Blob> = {}
    for (const [field, value] of Object.entries(run.input))
      if (typeof value === 'string' && /^(data:[^,]*,|https?:\/\/)/.test(value))
        found[field] = await open(value, signal)
    return found
  }
}

function decode(uri: string): Blob {
  const comma = uri.indexOf(',')
  const [type = 'text/plain', ...rest] = uri.slice('data:'.length, comma).split(';')
  const body = uri.slice(comma + 1)
  const bytes = rest.includes('base64') ? Buffer.from(body, 'base64') : Buffer.from(decodeURIComponent(body))
  return new Blob([new Uint8Array(bytes)], { type })
}
