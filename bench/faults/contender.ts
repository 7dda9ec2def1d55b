/** What a job is made of. */
export interface Job {
  /** A JPEG. */
  readonly photo: Uint8Array<ArrayBuffer>
  /** Where the faults happen. */
  readonly baseUrl: string
  /** A healthy vendor, for contenders that can use a second one. */
  readonly spareUrl: string
}

/** One way to get a job done. */
export interface Contender {
  readonly name: string
  /** False for faults that its protocol does not know. Default: takes all. */
  readonly takes?: (fault: string) => boolean
  begin(job: Job): Promise<Attempt>
}

/** A job under way. */
export interface Attempt {
  /** What the caller gets: the file, or whatever was called a success instead; rejects with the error that the caller gets. */
  readonly ending: Promise<unknown>
  /** Resolves when nothing is left to follow. */
  readonly settled?: Promise<unknown>
  close?(): Promise<void>
}

export const model = 'surefoot/relief'

/** Downloads what a client calls its output, as an app does; gives anything but an address back as it is. */
export async function download(output: unknown): Promise<unknown> {
  if (typeof output !== 'string' || !URL.canParse(output)) return output
  const response = await fetch(output)
  if (!response.ok) throw new Error(`The download answers ${response.status}.`)
  return await response.bytes()
}

export function toDataUri(photo: Uint8Array): string {
  return `data:image/jpeg;base64,${Buffer.from(photo).toString('base64')}`
}
