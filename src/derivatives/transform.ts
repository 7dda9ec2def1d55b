import { open } from 'node:fs/promises'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { JsonObject } from '../core/json.ts'

/**
 * What we use of `@playcanvas/splat-transform` 3.7, an optional peer. Its own types import each other without file endings,
 * which Node's module resolution does not follow, so that all of them would be `any`.
 */
export interface Transform {
  readonly version: string
  readonly WorkerQueue: { maxWorkers: number | null }
  readonly logger: { setRenderer(renderer: object): void }
  /** Bytes that are pulled; `bytesRead` is counted by whoever pulls. */
  readonly ReadStream: new (
    expectedBytes?: number,
  ) => PullStream
  readonly BufferedReadStream: new (inner: PullStream, readAheadBytes: number) => PullStream
  readFile(options: {
    readonly filename: string
    readonly inputFormat: string
    readonly fileSystem: TransformFiles
  }): Promise<readonly Source[]>
  createChunkDataPool(): Pool
  writeSource(
    options: {
      readonly filename: string
      readonly outputFormat: string
      readonly source: Source
      readonly pool: Pool
      readonly options: JsonObject
    },
    files: TransformFiles,
  ): Promise<void>
  processSourceBridged(source: Source, actions: readonly JsonObject[], pool: Pool): Promise<Source>
}

export interface PullStream {
  bytesRead: number
  /** Fills the beginning of `target`; 0 at the end. */
  pull(target: Uint8Array): Promise<number>
}

/** Gaussians that are read chunk by chunk, layer by layer. */
export interface Source {
  readonly meta: {
    readonly numGaussians: number
    readonly chunkSize: number
    readonly numChunks: readonly number[]
    readonly layouts: { readonly [layer in Layer]?: object }
  }
  read(request: { readonly chunkIndex: number } & { readonly [layer in Layer]?: ChunkData }): Promise<void>
  close(): Promise<void>
}

export type Layer = 'position' | 'geometric' | 'color'

export interface ChunkData {
  /** A column of the chunk, by the reader's name for it. */
  field(name: string): Float32Array
  release(): void
}

export interface Pool {
  acquire(layer: Layer, layout: object, count: number): ChunkData
}

/** Both of splat-transform's file systems in one. */
export interface TransformFiles {
  createSource(path: string): Promise<{
    readonly size: number
    readonly seekable: boolean
    read(start?: number, end?: number): PullStream
    close(): void
  }>
  createWriter(path: string): Promise<{
    readonly bytesWritten: number
    write(data: Uint8Array): Promise<void>
    close(): Promise<void>
    abort(): Promise<void>
  }>
  mkdir(path: string): Promise<void>
}

const name = '@playcanvas/splat-transform'

/** Whether the peer can be loaded from here; loads nothing. */
export function hasTransform(): boolean {
  try {
    import.meta.resolve(name)
    return true
  } catch {
    return false
  }
}

/** Loads the peer, or fails with `deployment_missing` (fault `config`, status 501) that says what to install. */
export async function loadTransform(): Promise<Transform> {
  return (await import(name).catch(refuseMissing)) as Transform
}

/** Throws what is to be said where the peer is missing. */
export function refuseMissing(cause?: unknown): never {
  // The command is a part of the message: over HTTP nothing else of a failure is told.
  const message = `Splats are converted by ${name}, which is not installed: npm install ${name}@^3.7.0`
  const advice = 'Install it beside Surefoot (about 200 MB); .clean.ply, .json and .webp are made without it.'
  const failure = createFailure('deployment_missing', message, { fault: 'config', advice })
  throw new SurefootError(failure, { status: 501, cause })
}

/** Read ahead of the many small reads that readers make. */
const readAheadBytes = 4 * 1024 * 1024

/**
 * Files of this machine's disk as splat-transform reads and writes them; its own such file system is a part of its command
 * line only. Names are paths. A file that is written must not be there yet; one that was given up stays, half written.
 */
export function createTransformFiles({
  ReadStream,
  BufferedReadStream,
}: Pick<Transform, 'ReadStream' | 'BufferedReadStream'>): TransformFiles {
  return {
    async createSource(path) {
      const file = await open(path, 'r')
      const { size } = await file.stat()
      return {
        size,
        seekable: true,
        read(start = 0, end = size) {
          const last = Math.min(end, size)
          let at = Math.min(start, last)
          const stream = new (class extends ReadStream {
            override async pull(target: Uint8Array): Promise<number> {
              const { bytesRead } = await file.read(target, 0, Math.min(target.length, last - at), at)
              at += bytesRead
              this.bytesRead += bytesRead
              return bytesRead
            }
          })(last - at)
          return new BufferedReadStream(stream, readAheadBytes)
        },
        close: () => void file.close(),
      }
    },
    async createWriter(path) {
      const file = await open(path, 'wx')
      let bytesWritten = 0
      return {
        get bytesWritten() {
          return bytesWritten
        },
        async write(data) {
          await file.writeFile(data)
          bytesWritten += data.length
        },
        close: () => file.close(),
        abort: () => file.close(),
      }
    },
    mkdir: async () => {},
  }
}
