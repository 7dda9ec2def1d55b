import { expect, it } from 'vitest'
import { passingChunks } from './passing-chunks.ts'

/** A body of bytes that can be read into a given buffer, three at a time, and the buffers that it was given. */
function bytesFrom(total: number) {
  const state = { sizes: [] as number[], canceled: false, allocated: 0 }
  let sent = 0
  const body = new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const request = controller.byobRequest
      if (request?.view == null) throw new Error('a buffer of its own was asked for')
      state.sizes.push(request.view.byteLength)
      const count = Math.min(3, total - sent)
      if (count === 0) {
        controller.close()
        request.respond(0)
        return
      }
      const view = new Uint8Array(request.view.buffer, request.view.byteOffset, count)
      for (let index = 0; index < count; index++) view[index] = sent + index
      sent += count
      request.respond(count)
    },
    cancel() {
      state.canceled = true
    },
  })
  return { body, state }
}

async function read(body: ReadableStream<Uint8Array>): Promise<number[]> {
  const seen: number[] = []
  for await (const chunk of passingChunks(body)) seen.push(...chunk)
  return seen
}

it('reads a body of bytes to its end through one buffer', async () => {
  const { body, state } = bytesFrom(8)
  expect(await read(body)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(state.sizes).toEqual([262_144, 262_144, 262_144, 262_144])
})

it('reads any other body as it comes', async () => {
  expect(await read(ReadableStream.from([new Uint8Array([1, 2]), new Uint8Array([3])]))).toEqual([1, 2, 3])
})

it('cancels the body when whoever reads stops, and passes on what it fails with', async () => {
  const { body, state } = bytesFrom(8)
  for await (const _ of passingChunks(body)) break
  expect(state.canceled).toBe(true)
  const broken = new ReadableStream({
    type: 'bytes',
    pull() {
      throw new Error('broken')
    },
  })
  await expect(read(broken)).rejects.toThrow('broken')
  const locked = new ReadableStream<Uint8Array>()
  locked.getReader()
  await expect(read(locked)).rejects.toThrow(TypeError)
})
