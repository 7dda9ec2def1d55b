import { expect, onTestFinished, test } from 'vitest'
import { sampleBody } from '../testing/describe-files.ts'
import { createS3Files } from './s3.ts'
import { startS3 } from './test-s3.ts'

const roomy = { maxBytes: 1_000_000 }
const inAnHour = () => Date.now() + 3_600_000

async function setup(more: { now?: () => number; publicEndpoint?: string; checksums?: boolean } = {}) {
  const s3 = await startS3({ conditional: true })
  onTestFinished(s3.close)
  const { now, ...options } = more
  const files = createS3Files({ ...s3.options, prefix: 'p', ...options }, now === undefined ? {} : { now })
  return {
    s3,
    files,
    upload: async (text: string) =>
      await fetch(await files.outside.writeUrl('uploads/a1/output', inAnHour()), { method: 'PUT', body: text }),
  }
}

async function read(files: Awaited<ReturnType<typeof setup>>['files'], key: string) {
  const opened = await files.open(key)
  return opened === null ? null : await new Response(opened.body).text()
}

test('anybody can read by a link, under the name and the type that it says', async () => {
  const { files } = await setup()
  await files.put('files/f1', sampleBody('pixels'), roomy)
  const url = await files.outside.readUrl('files/f1', inAnHour(), { name: 'photo.jpg', mediaType: 'image/jpeg' })
  const response = await fetch(url)
  expect(response.headers.get('content-type')).toBe('image/jpeg')
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="photo.jpg"')
  expect(await response.text()).toBe('pixels')
})

test('a link leads to the public address, for the time that is left and a week at most', async () => {
  const { files } = await setup({ now: () => 1_000_000, publicEndpoint: 'https://s3.example' })
  const url = new URL(await files.outside.writeUrl('uploads/a1/output', 1_090_500))
  expect(url.origin + url.pathname).toBe('https://s3.example/files/p/uploads/a1/output')
  expect(url.searchParams.get('X-Amz-Expires')).toBe('91')
  expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('host')
  expect([...url.searchParams.keys()].filter(name => /checksum/i.test(name))).toEqual([])
  const long = new URL(await files.outside.writeUrl('uploads/a1/output', 1e15))
  expect(long.searchParams.get('X-Amz-Expires')).toBe('604800')
})

test('what was uploaded is taken to a key that no link leads to, and is gone from where one does', async () => {
  const { files, upload } = await setup()
  expect((await upload('first')).status).toBe(200)
  expect(await files.outside.take('uploads/a1/output', 'outputs/p1/a1/scene.ply', roomy)).toBe('taken')
  expect(await files.stat('uploads/a1/output')).toBe(null)
  expect(await read(files, 'outputs/p1/a1/scene.ply')).toBe('first')
  // Whoever holds the link may write once more: what was taken stays as it is.
  await upload('second')
  expect(await files.outside.take('uploads/a1/output', 'outputs/p1/a1/scene.ply', roomy)).toBe('exists')
  expect(await read(files, 'outputs/p1/a1/scene.ply')).toBe('first')
})

test('what changes while it is copied is copied anew, as it is then', async () => {
  const { s3, files, upload } = await setup()
  await upload('first')
  let isBetween = true
  s3.intercept = (request, response) => {
    if (request.headers['x-amz-copy-source'] === undefined || !isBetween) return false
    isBetween = false
    void upload('second').then(() => s3.handle(request, response))
    return true
  }
  expect(await files.outside.take('uploads/a1/output', 'out', roomy)).toBe('taken')
  expect(await read(files, 'out')).toBe('second')
})

test('nothing, what is too large, and what has another length than was promised, is not taken', async () => {
  const { files, upload } = await setup()
  expect(await files.outside.take('uploads/a1/output', 'out', roomy)).toBe('missing')
  await upload('long')
  const taking = files.outside.take('uploads/a1/output', 'out', { maxBytes: 3 })
  await expect(taking).rejects.toMatchObject({ failure: { code: 'input_too_large' } })
  const longer = files.outside.take('uploads/a1/output', 'out', { ...roomy, bytes: 5 })
  await expect(longer).rejects.toMatchObject({ failure: { code: 'output_invalid' } })
  expect(await files.stat('out')).toBe(null)
  expect(await files.outside.take('uploads/a1/output', 'out', { ...roomy, bytes: 4 })).toBe('taken')
})

test('a link for one length and type is refused by the bucket itself for any other', async () => {
  const { files } = await setup()
  const exactly = { bytes: 5, mediaType: 'image/jpeg' }
  const url = await files.outside.writeUrl('pending/f1', inAnHour(), exactly)
  expect(new URL(url).searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;content-type;host')
  const put = async (body: string, type: string) =>
    (await fetch(url, { method: 'PUT', body, headers: { 'content-type': type } })).status
  expect(await put('longer', 'image/jpeg')).toBe(403)
  expect(await put('less', 'image/jpeg')).toBe(403)
  expect(await put('right', 'text/html')).toBe(403)
  expect(await files.stat('pending/f1')).toBe(null)
  expect(await put('right', 'image/jpeg')).toBe(200)
  expect(await read(files, 'pending/f1')).toBe('right')
})

test('links hold no checksum of a body that nobody has seen, also where requests have theirs', async () => {
  const { files } = await setup({ checksums: true })
  const url = new URL(await files.outside.writeUrl('uploads/a1/output', inAnHour()))
  expect([...url.searchParams.keys()].filter(name => /checksum/i.test(name))).toEqual([])
})
