/**
 * A file of the same kind whose content is broken: a PLY without vertices (`zero`) or with a coordinate that is not a
 * number (`nan`); of any other file the first half is zeros.
 */
export async function corrupt(file: Blob, how: string): Promise<Blob> {
  const head = new TextDecoder('latin1').decode(await file.slice(0, 16_384).arrayBuffer())
  const end = head.indexOf('end_header\n')
  if (!head.startsWith('ply\n') || end === -1) {
    const half = Math.ceil(file.size / 2)
    return new Blob([new Uint8Array(half), file.slice(half)], { type: file.type })
  }
  const body = end + 'end_header\n'.length
  if (how === 'zero') {
    const header = head.slice(0, body).replace(/^(element \S+) \d+$/gm, '$1 0')
    return new Blob([header], { type: file.type })
  }
  const notANumber = new Uint8Array([0x00, 0x00, 0xc0, 0x7f])
  return new Blob([file.slice(0, body), notANumber, file.slice(body + 4)], { type: file.type })
}
