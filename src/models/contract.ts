import type { Failure } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'
import type { StatedTimes } from '../core/recommend.ts'
import type { OpenedFile } from '../files/contract.ts'

/** A named kind of work: its input, how its output is verified, what users must know about it. */
export interface Model {
  /** `owner/name`. */
  readonly name: string
  readonly description: string
  /** 64 hex: sha256 of name, input schema and recipe version. */
  readonly version: string
  /** Shown wherever results are shown; null when there is nothing to warn of. */
  readonly notice: string | null
  /** What a run on a GPU takes, for estimates where nothing has been measured yet. Default: nobody has said. */
  readonly stated?: StatedTimes
  /** JSON Schema (2020-12) of the input, as `GET /v1/models/...` shows it. */
  readonly inputSchema: JsonObject
  /** Input fields that are files, with what they must be. */
  readonly fileFields: { readonly [field: string]: FileField }
  /** Checks everything in the input but the files; unknown fields are refused. Fails with `input_invalid`. */
  parseInput(input: JsonObject): JsonObject
  readonly output: {
    readonly name: string
    readonly mediaType: string
    readonly maxBytes: number
    /** What an output usually has, to tell whether a way back is wide enough. Default: nobody has said. */
    readonly usualBytes?: number
  }
  /** `splat`: its output is a splat PLY, its facts a splat's statistics; other formats can be made of it. Default: nothing is. */
  readonly derives?: 'splat'
  /** Reads the output once, as a stream. A prediction succeeds only when this says so. */
  verify(file: ReadableFile): Promise<Verdict>
}

export interface FileField {
  readonly required: boolean
  readonly maxBytes: number
  /** Looks at the bytes without decoding them; fails with `input_invalid` or `input_too_large`. */
  check(file: ReadableFile): Promise<CheckedFile>
}

export interface CheckedFile {
  readonly mediaType: string
  readonly facts: JsonObject
  /** The file without what nobody else needs to know: to be kept and sent instead. Default: it is fine as it is. */
  readonly without?: Redaction
  /** A format that few models read: to be kept and sent as JPEG instead. Default: it is fine as it is. */
  readonly convert?: 'heic'
}

/** A file with some of its bytes overwritten, and cut to a length. */
export interface Redaction {
  /** In order, none of them over another. */
  readonly patches: readonly Patch[]
  readonly bytes: number
}

export interface Patch {
  readonly at: number
  readonly bytes: Uint8Array
}

export interface ReadableFile {
  readonly bytes: number
  open(range?: { start: number; end?: number }): Promise<OpenedFile>
}

export type Verdict =
  | { readonly valid: true; readonly facts: JsonObject }
  | { readonly valid: false; readonly failure: Failure }
