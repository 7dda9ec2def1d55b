import { readName, readUint } from './byte-reader.ts'

/** A box inside another: its name, its content, and where that stands in the other. */
export interface InnerBox {
  readonly name: string
  readonly body: Uint8Array
  readonly at: number
}

/** One by one: half a million boxes fit into the longest description. */
export function* children(body: Uint8Array): Generator<InnerBox> {
  for (let at = 0; at + 8 <= body.length; ) {
    const total = readUint(body, at, 4, 'big')
    if (total < 8 || at + total > body.length) break
    yield { name: readName(body, at + 4), body: body.subarray(at + 8, at + total), at: at + 8 }
    at += total
  }
}
