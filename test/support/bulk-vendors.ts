import { createReadStream, openAsBlob } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { createRandom, createReplicateEmulator, serveEmulator } from '../../src/emulators/index.ts'
import { systemClock } from '../../src/engine/clock.ts'

/**
 * What `memory.long.ts` runs beside the gateway: a Replicate whose runs give a part of one file, `{ bytes }` from its
 * beginning, by URL; and a Cog server that answers with the whole of another one in base64. Neither holds a file in memory.
 */
const [plain = '', inline = ''] = process.argv.slice(2)

const replicate = await serveEmulator(
  createReplicateEmulator({
    clock: systemClock,
    random: createRandom(1),
    bootMs: 100,
    async work({ model, input }) {
      const whole = await openAsBlob(model === 'surefoot/sharp' ? inline : plain)
      const body = whole.slice(0, typeof input.bytes === 'number' ? input.bytes : whole.size)
      return [{ name: 'scene.ply', mediaType: 'application/octet-stream', body }]
    },
  }),
)

const cog = createServer((request, response) => {
  void json(request)
    .then(async body => {
      response.writeHead(200, { 'content-type': 'application/json' })
      await pipeline(async function* () {
        yield `{"id":${JSON.stringify((body as { id: string }).id)},"logs":"","output":"data:application/octet-stream;base64,`
        // Three bytes are four characters: pieces of whole threes join without a seam.
        for await (const chunk of createReadStream(inline, { highWaterMark: 48 * 1024 })) yield chunk.toString('base64')
        yield '","status":"succeeded","metrics":{"predict_time":1}}'
      }, response)
    })
    .catch(() => response.destroy())
})
cog.listen(0, '127.0.0.1', () => {
  const { port } = cog.address() as AddressInfo
  console.log(`serving ${replicate.origin} http://127.0.0.1:${port}`)
})
