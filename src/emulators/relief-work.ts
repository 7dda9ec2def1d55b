import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Observation } from '../providers/contract.ts'
import { local } from '../providers/local/index.ts'
import { pause } from './connection.ts'
import type { Work, WorkTask } from './contract.ts'

export interface ReliefWorkOptions {
  readonly clock: Clock
  /** Work folder; whoever made it removes it. Outputs live there as long as the emulator serves them. */
  readonly directory: string
}

const runLimitMs = 10 * 60_000
const pollMs = 100

/**
 * The real work: one photo to a splat by the local `relief` engine, in a process of its own. The photo is the input's
 * first file, whatever the field is called. It answers to any model's name but SHARP's, which it is not.
 */
export function createReliefWork({ clock, directory }: ReliefWorkOptions): Work {
  const provider = local({ directory: join(directory, 'runs') })
  let count = 0

  return async (task, report, signal) => {
    if (/(^|\/)sharp$/.test(task.model)) throw new Error('This emulator makes reliefs; it has no SHARP to run.')
    const attemptId = `emulated-${process.pid}-${clock.now()}-${count++}`
    const { path, bytes, sha256, mediaType } = await saveFirst(task, join(directory, 'inputs'))
    const io = { fetch: globalThis.fetch, signal }
    const answer = await provider.start(
      {
        marker: { attemptId, secret: attemptId },
        model: 'surefoot/relief',
        target: {},
        input: {},
        files: {
          image: {
            name: 'photo',
            mediaType,
            bytes,
            sha256,
            url: null,
            path,
            open: async () => (await openAsBlob(path)).stream(),
          },
        },
        webhookUrl: null,
        uploadUrl: () => null,
        runLimitMs,
        deadlineInMs: runLimitMs,
      },
      io,
    )
    if (answer.kind !== 'accepted') throw new Error(answer.failure.message)
    try {
      for (;;) {
        const seen = await provider.poll?.(answer.handle, io)
        if (seen === undefined) throw new Error('The local engine cannot be asked.')
        const ended = await outputsOf(seen)
        if (ended !== null) return ended
        if (seen.progress?.fraction != null) report(seen.progress.fraction, seen.progress.stage ?? undefined)
        await pause(clock, pollMs, signal)
      }
    } catch (error) {
      await provider.cancel?.(answer.handle, { fetch: globalThis.fetch, signal: new AbortController().signal })
      throw error
    }
  }
}

async function outputsOf(seen: Observation): Promise<Awaited<ReturnType<Work>> | null> {
  if (seen.status === 'failed' || seen.status === 'canceled' || seen.status === 'gone')
    throw new Error(seen.failure?.message ?? `The local engine ended as ${seen.word}.`)
  if (seen.status !== 'succeeded') return null
  const [output] = seen.outputs ?? []
  if (output?.kind !== 'path') throw new Error('The local engine gave no file.')
  const mediaType = 'application/octet-stream'
  return [{ name: 'scene.ply', mediaType, body: await openAsBlob(output.path, { type: mediaType }) }]
}

async function saveFirst(
  task: WorkTask,
  folder: string,
): Promise<{ path: string; bytes: number; sha256: string; mediaType: string }> {
  const [photo] = Object.values(task.files)
  if (photo === undefined) throw new Error('The input has no photo.')
  const bytes = await photo.bytes()
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  await mkdir(folder, { recursive: true })
  const path = resolve(folder, sha256)
  await writeFile(path, bytes)
  return { path, bytes: bytes.byteLength, sha256, mediaType: photo.type }
}
