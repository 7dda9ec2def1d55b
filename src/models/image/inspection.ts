import type { ByteReader } from './byte-reader.ts'

/** What a format's inspector works with: the file's bytes in order, and where to report what it finds. */
export interface Inspection {
  readonly reader: ByteReader
  /** Length of the whole file. */
  readonly bytes: number
  /** Reports a size that the headers state, at once: a file that claims too much is refused before more of it is read. */
  size(width: number, height: number): void
  /** Reports where metadata stand that may tell where the picture was taken. */
  metadata(place: MetadataPlace): void
  /** Refuses the file as `input_invalid`; `problem` continues the sentence "image ...". */
  invalid(problem: string): never
}

/** A piece of a file, and what is left of it without coordinates: as many bytes, or null where it has none. */
export interface MetadataPlace {
  readonly at: number
  readonly bytes: number
  clean(bytes: Uint8Array): Uint8Array | null
}

/**
 * Walks a file's structure from its first byte to its last without decoding a pixel. Answers where the picture ends: what
 * follows is none of it.
 */
export type Inspect = (inspection: Inspection) => Promise<number>
