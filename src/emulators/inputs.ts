import type { WorkTask } from './contract.ts'

/**
 * Fetches an input's files as a model's worker would: data URIs, URLs from outside, and what `resolve` knows (uploads at
 * the vendor). Fails as a worker would when one cannot be had.
 */
export function createInputs(
  send: typeof globalThis.fetch,
  resolve: (url: string) => Blob | null = () => null,
): (input: WorkTask['input'], signal: AbortSignal) => Promise<WorkTask['files']> {
  async function open(value: string, signal: AbortSignal): Promise<Blob> {
    if (value.startsWith('data:')) return decode(value)
    const uploaded = resolve(value)
    if (uploaded !== null) return uploaded
    const response = await send(value, { signal })
    if (!response.ok) throw new Error(`Failed to download input file: ${response.status}`)
    return await response.blob()
  }

  return async (input, signal) => {
    const found: Record<string, Blob> = {}
    for (const [field, value] of Object.entries(input))
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
