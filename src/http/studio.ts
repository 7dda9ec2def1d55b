import { open, realpath } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { Readable } from 'node:stream'
import type { App, AppDependencies, Context } from './context.ts'
import { refuseHttp } from './errors.ts'

const mediaTypes: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
}

/** The splat viewer runs WebAssembly (fetched from a data URL) and workers (from blobs); nothing comes from elsewhere. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self' blob: data:",
  "img-src 'self' blob: data:",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The Studio page: static files of its build folder, and nothing outside of it. */
export function addStudio(app: App, { studio }: AppDependencies): void {
  app.get('/', async c =>
    studio === null
      ? c.text(
          'The Studio page is not built here (npm run build makes it). The API answers under /v1, see /openapi.json.\n',
          404,
        )
      : serve(c, studio, 'index.html', 'no-cache'),
  )
  if (studio === null) return
  // The names of built assets carry a hash of their content.
  app.get('/assets/:path{[\\w./-]+}', c =>
    serve(c, studio, `assets/${c.req.param('path')}`, 'public, max-age=31536000, immutable'),
  )
  app.get('/:file{[\\w-]+\\.(?:svg|png|ico|html)}', c => serve(c, studio, c.req.param('file'), 'no-cache'))
}

async function serve(c: Context, root: string, path: string, cache: string): Promise<Response> {
  const file = await openInside(root, path)
  if (file === null) return refuseHttp('not_found', 'There is no such page here.')
  const headers = {
    'content-type': mediaTypes[extname(path)] ?? 'application/octet-stream',
    'content-length': String(file.bytes),
    'cache-control': cache,
    'content-security-policy': pagePolicy,
  }
  if (c.req.method === 'HEAD') {
    await file.handle.close()
    return new Response(null, { headers })
  }
  const body = Readable.toWeb(file.handle.createReadStream()) as ReadableStream<Uint8Array>
  return new Response(body, { headers })
}

/** Opens a file under `root`; null where there is none, or where links or dots lead out of it. */
async function openInside(root: string, path: string) {
  try {
    const [inside, real] = await Promise.all([realpath(root), realpath(join(root, path))])
    if (!real.startsWith(inside + sep)) return null
    const handle = await open(real)
    const stat = await handle.stat()
    if (stat.isFile()) return { handle, bytes: stat.size }
    await handle.close()
    return null
  } catch {
    return null
  }
}
