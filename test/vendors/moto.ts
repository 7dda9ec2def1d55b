import { createServer, type IncomingMessage, type ServerResponse, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, vi } from 'vitest'
import { freePort, startVendor } from './support.ts'

/** What is done besides when a call has been answered: AWS would start a container there, and moto does not. */
export type Reaction = (call: {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}) => void

/** moto's server, with a door in front of it at which the calls that start something are seen. */
export async function startMoto(react: Reaction) {
  const port = await freePort()
  const server = startVendor('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { cwd: '/' })
  const direct = `http://127.0.0.1:${port}`
  await vi.waitFor(
    async () => {
      expect(server.child.exitCode).toBe(null)
      expect((await fetch(`${direct}/moto-api/data.json`)).status).toBe(200)
    },
    { timeout: 60_000, interval: 200 },
  )
  const door = createServer((incoming, outgoing) => void pass(incoming, outgoing).catch(() => outgoing.destroy()))
  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const body = await buffer(incoming)
    const { method, url: path = '/', headers } = incoming
    const passed = send({ port, host: '127.0.0.1', method, path, headers }, answer => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
      answer.once('end', () => {
        if ((answer.statusCode ?? 500) < 300) react({ path, headers, body })
      })
    })
    passed.on('error', () => outgoing.destroy())
    passed.end(body)
  }
  await new Promise<void>(resolve => door.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    door.closeAllConnections()
    door.close()
  })
  const set = async (path: string, body: object) => {
    const answer = await fetch(`${direct}/moto-api/${path}`, { method: 'POST', body: JSON.stringify(body) })
    expect(answer.status).toBeLessThan(300)
  }
  return { endpoint: `http://127.0.0.1:${(door.address() as AddressInfo).port}`, set }
}
