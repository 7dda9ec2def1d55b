import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import { expect, vi } from 'vitest'
import { kitWrappers, writeKit } from '../../src/cli/kit-files.ts'
import type { AttemptsJson, PredictionJson } from '../../src/http/shapes.ts'
import { checkSplat } from '../../src/splat/check.ts'
import { makeFolder, type Process, root, start, startGateway } from '../support/gateway.ts'

const isWindows = process.platform === 'win32'

/** A photo of the repository. */
export const photo: Buffer = readFileSync(join(root, 'examples/photos/rocket.jpg'))

/** A program of the vendors' packages: `python`, or a command that one of them brings. `truss`: of those of Truss's server. */
export function vendorBinary(name: string, of: 'vendors' | 'truss' = 'vendors'): string {
  const folder = of === 'truss' ? process.env.SUREFOOT_TEST_TRUSS : process.env.SUREFOOT_TEST_VENDORS
  if (folder === undefined) throw new Error("These tests need the vendors' packages: run them by npm run test:vendors.")
  return isWindows ? join(folder, 'Scripts', `${name}.exe`) : join(folder, 'bin', name)
}

/** Starts a vendor's program, its own programs first on PATH, and the kit's model named; it is ended with the test. */
export function startVendor(
  file: string,
  args: readonly string[],
  { cwd, model = 'dummy', trusts = [], env = {}, of = 'vendors' }: VendorOptions,
): Process {
  const program = vendorBinary(file, of)
  const PATH = `${dirname(program)}${delimiter}${process.env.PATH ?? ''}`
  const python = { PYTHONUNBUFFERED: '1', PYTHONDONTWRITEBYTECODE: '1' }
  const kit = { SUREFOOT_KIT_MODEL: model, SUREFOOT_KIT_TRUSTED_ORIGINS: trusts.join(',') }
  return start(program, args, { cwd, env: { PATH, ...python, ...kit, ...env } })
}

export interface VendorOptions {
  readonly cwd: string
  /** What the kit runs. Default `dummy`. */
  readonly model?: string
  /** Origins on this machine to which it may connect: the gateway's, a bucket's. */
  readonly trusts?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly of?: 'vendors' | 'truss'
}

/** A kit's folder as `surefoot kit` writes it, with the dummy model, or one of `trial_model.py`. */
export async function assembleKit(provider: string, model: string = 'dummy'): Promise<string> {
  const wrapper = kitWrappers[provider]
  if (wrapper === undefined) throw new Error(`There is no kit for ${provider}.`)
  const folder = makeFolder()
  const settings = { name: model, requirements: 'dummy', needsGpu: false }
  await writeKit(wrapper, settings, folder, join(root, 'test/vendors/trial_model.py'))
  return folder
}

/** A free port: what must know its address before it starts takes it. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('There is no free port.')
  return address.port
}

export interface GatewaySetting {
  /** Lines of the config: a provider named `vendor`, as TypeScript. */
  readonly provider: string
  /** Names imported from Surefoot. */
  readonly imports: string
  /** The deployment's target, as TypeScript. */
  readonly target: string
  readonly policy?: object
  /** Default: any free one; a worker that starts before the gateway must know it. */
  readonly port?: number
}

/** A real gateway whose `surefoot/sharp` goes to the vendor, and which workers reach. */
export async function startVendorGateway({ provider, imports, target, policy = {}, ...rest }: GatewaySetting) {
  const folder = makeFolder()
  const port = rest.port ?? (await freePort())
  const patient = { stallMs: 120_000, lastStageMs: 60_000, ...policy }
  writeFileSync(
    join(folder, 'surefoot.config.ts'),
    `import { defineConfig, ${imports} } from '${join(root, 'src/index.ts')}'

export default defineConfig({
  publicUrl: 'http://127.0.0.1:${port}',
  providers: { vendor: ${provider} },
  deployments: { 'sharp@vendor': { target: ${target} } },
  models: { sharp: { route: ['sharp@vendor'], policy: ${JSON.stringify(patient)} } },
})
`,
  )
  return await startGateway({ cwd: folder }, port)
}

/** Asks for a prediction of the photo, or of what is given. */
export async function create(url: string, image: string = dataUri(photo, 'image/jpeg')): Promise<PredictionJson> {
  const created = await fetch(`${url}/v1/models/surefoot/sharp/predictions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ input: { image } }),
  })
  expect(created.status).toBe(201)
  return (await created.json()) as PredictionJson
}

/** The prediction as it is now. */
export async function look(url: string, id: string): Promise<PredictionJson> {
  return (await (await fetch(`${url}/v1/predictions/${id}`)).json()) as PredictionJson
}

/** The prediction once nothing of it is open any more, with its attempts. */
export async function settled(url: string, id: string, timeout: number = 30_000) {
  const prediction = await vi.waitFor(
    async () => {
      const seen = await look(url, id)
      expect(seen.surefoot.settled).toBe(true)
      return seen
    },
    { timeout, interval: 100 },
  )
  const { attempts } = (await (await fetch(`${url}/v1/predictions/${id}/attempts`)).json()) as AttemptsJson
  return { prediction, attempts }
}

/** Photo in, splat out, and the file passes our check. */
export async function predictSplat(url: string) {
  const { id } = await create(url)
  const { prediction, attempts } = await settled(url, id)
  expect(prediction.surefoot.failure).toBe(null)
  expect(prediction.status).toBe('succeeded')
  expect(attempts.map(({ state }) => state)).toEqual(['won'])
  await expectSplat(String(prediction.output))
  return { prediction, attempts }
}

/** The dummy model's splat. */
export async function expectSplat(output: string): Promise<void> {
  const response = await fetch(output)
  const bytes = new Uint8Array(await response.arrayBuffer())
  const check = await checkSplat(new Blob([bytes]).stream(), { bytes: bytes.length })
  expect(check).toMatchObject({ valid: true, statistics: { count: 1024 } })
}

export function dataUri(bytes: Uint8Array, type: string): string {
  return `data:${type};base64,${Buffer.from(bytes).toString('base64')}`
}
