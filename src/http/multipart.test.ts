import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createApp } from './app.ts'
import { listen } from './node.ts'
import { setup } from './test-support.ts'

test.each(['/v1/files', '/v1/predictions'])(
  'a caller that vanishes in the middle of a file leaves nothing: %s',
  async path => {
    const front = await setup()
    const begun = Promise.withResolvers<void>()
    const answered = Promise.withResolvers<void>()
    const engine = {
      ...front.deps.engine,
      addFile(request: Parameters<typeof front.deps.engine.addFile>[0]) {
        begun.resolve()
        return front.deps.engine.addFile(request)
      },
    }
    const server = await listen({
      port: 0,
      host: '127.0.0.1',
      publicUrl: null,
      app: address => createApp({ ...front.deps, ...address, engine, log: () => answered.resolve() }),
    })
    onTestFinished(() => server.close(0))

    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    const head = '--b\r\ncontent-disposition: form-data; name="content"; filename="x.png"\r\n\r\n'
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\ncontent-type: multipart/form-data; boundary=b\r\n` +
        `content-length: 1000000\r\n\r\n${head}${'x'.repeat(200_000)}`,
    )
    await begun.promise
    socket.destroy()
    await answered.promise
    expect(await front.store.listFiles({ owner: 'local', limit: 1 })).toEqual([])
    const root = front.files.path('x') ?? ''
    expect(readdirSync(join(root, '..'), { recursive: true })).toEqual(['~incoming'])
  },
)
