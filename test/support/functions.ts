import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { root } from './gateway.ts'

/** A host for functions on loopback: each request gets a process of its own, which is gone when it has answered. */
export interface FunctionHost {
  readonly origin: string
  /** Processes that were begun, and of these those that were killed. */
  readonly counts: { invoked: number; killed: number }
  close(): Promise<void>
}

export interface FunctionHostOptions {
  /** Where the app's `surefoot.config.ts` is, once it is written. */
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  /** Milliseconds after which this invocation is killed; null lets it live. Asked once for each. */
  doom(): number | null
}

/** A killed one answers 502, as hosts do. */
export async function startFunctionHost({ directory, env, doom }: FunctionHostOptions): Promise<FunctionHost> {
  const counts = { invoked: 0, killed: 0 }
  const running = new Set<{ kill(): void }>()

  async function invoke(
    invocation: object,
  ): Promise<{ status: number; headers: Record<string, string>; body: string }> {
    counts.invoked += 1
    const child = spawn(process.execPath, [join(root, 'test/support/function-process.ts'), directory], {
      cwd: directory,
      env: { ...inherited(), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const kill = () => void child.kill('SIGKILL')
    running.add({ kill })
    const life = doom()
    const timer = life === null ? undefined : setTimeout(kill, life)
    child.stdin.on('error', () => {})
    child.stdin.end(`${JSON.stringify(invocation)}\n`)
    const [output] = await Promise.all([text(child.stdout), once(child, 'close')])
    clearTimeout(timer)
    if (output.endsWith('\n')) return JSON.parse(output)
    counts.killed += 1
    return { status: 502, headers: {}, body: '' }
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const headers = Object.fromEntries(
      Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    )
    const url = `${origin}${request.url ?? '/'}`
    const body = Buffer.concat(chunks).toString('base64')
    const answer = await invoke({ method: request.method, url, headers, body })
    response.writeHead(answer.status, answer.headers).end(Buffer.from(answer.body, 'base64'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin,
    counts,
    async close() {
      for (const { kill } of running) kill()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** Settings that the caller of the tests may have for Surefoot do not reach the functions. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(SUREFOOT|VITEST|NODE_ENV$|npm_)/.test(name)),
  )
}
