import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import type { PredictionJson } from '../src/http/shapes.ts'
import { launchBrowser } from './support/browser.ts'
import { makeFolder, root, startGateway } from './support/gateway.ts'

/** What Spark found in a file: places in the file's own axes. */
interface Seen {
  readonly count: number
  readonly min: readonly number[]
  readonly max: readonly number[]
  readonly mean: readonly number[]
}

test('Spark, in a page of another origin, reads each format by its link and sees the same scene in it', async () => {
  const prediction = await predict()
  const page = await openViewer()
  const { facts } = prediction.surefoot.output ?? {}
  const { count, bounds } = facts as { count: number; bounds: { min: number[]; max: number[] } }
  const seen = async (name: string) => {
    const url = prediction.surefoot.derivatives?.find(derivative => derivative.name === name)?.url
    return await page.evaluate(link => (globalThis as unknown as Viewer).look(link), url ?? '')
  }
  const clean = await seen('scene.clean.ply')
  expect(clean.count).toBe(count)
  expect(close(clean.min, bounds.min) && close(clean.max, bounds.max)).toBe(true)
  for (const name of ['scene.sog', 'scene.compressed.ply', 'scene.spz']) {
    const { count, min, max, mean } = await seen(name)
    // SPZ has y up and z towards the viewer, as its format says.
    const isTurned = name === 'scene.spz'
    const turn = (point: readonly number[]) => point.map((value, axis) => (isTurned && axis > 0 ? -value : value))
    const [least, most] = isTurned
      ? [
          [min[0] ?? 0, ...turn(max).slice(1)],
          [max[0] ?? 0, ...turn(min).slice(1)],
        ]
      : [min, max]
    expect([name, count]).toEqual([name, clean.count])
    expect([name, close(least, clean.min), close(most, clean.max), close(turn(mean), clean.mean)]).toEqual([
      name,
      true,
      true,
      true,
    ])
  }
})

interface Viewer {
  look(url: string): Promise<Seen>
}

/** Half-precision centres, and bounds of at most some 20 metres. */
function close(actual: readonly number[], expected: readonly number[]): boolean {
  return actual.length === 3 && actual.every((value, axis) => Math.abs(value - (expected[axis] ?? NaN)) < 0.05)
}

async function predict(): Promise<PredictionJson> {
  const { url: origin } = await startGateway({ cwd: makeFolder() })
  const body = new FormData()
  body.set('version', 'surefoot/relief')
  body.set('image', new Blob([readFileSync(join(root, 'examples/photos/rocket.jpg'))]), 'rocket.jpg')
  const response = await fetch(`${origin}/v1/predictions`, { method: 'POST', body, headers: { prefer: 'wait=60' } })
  const prediction = (await response.json()) as PredictionJson
  expect(prediction.status).toBe('succeeded')
  return prediction
}

const html = `<!doctype html>
<script type="importmap">{
  "imports": { "three": "/three/build/three.module.js", "three/addons/": "/three/examples/jsm/" }
}</script>
<script type="module">
  import { SplatMesh } from '/@sparkjsdev/spark/dist/spark.module.js'
  globalThis.look = async url => {
    const mesh = new SplatMesh({ url })
    await mesh.initialized
    const [min, max, sum] = [[1e9, 1e9, 1e9], [-1e9, -1e9, -1e9], [0, 0, 0]]
    let count = 0
    mesh.forEachSplat((_, center) => {
      count++
      for (const [axis, value] of center.toArray().entries()) {
        min[axis] = Math.min(min[axis], value)
        max[axis] = Math.max(max[axis], value)
        sum[axis] += value
      }
    })
    mesh.dispose()
    return { count, min, max, mean: sum.map(value => value / count) }
  }
</script>`

/** A page of its own origin, as an app with a viewer is: it may read from the gateway only what the gateway lets it. */
async function openViewer(): Promise<Page> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://viewer').pathname
    const isPage = path === '/'
    if (!isPage && !/^\/(three|@sparkjsdev)\/[\w./-]+\.js$/.test(path)) return void response.writeHead(404).end()
    const type = extname(path) === '.js' ? 'text/javascript' : 'text/html'
    response.writeHead(200, { 'content-type': type })
    response.end(isPage ? html : readFileSync(join(root, 'node_modules', path)))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const browser = await launchBrowser()
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  await page.waitForFunction(() => 'look' in globalThis)
  return page
}
