import { expect, test } from 'vitest'
import { bucketUrl } from '../config/bucket-url.ts'
import { sharp } from '../models/sharp.ts'
import { judgeWays } from './judge-ways.ts'
import { createDeployment, type Differences } from './test-support.ts'

const s3 = 'https://s3.eu-central-1.amazonaws.com'
const kit: Differences = { target: { kit: true } }

function judged(differences: Differences, publicUrl: string | null, bucket: string | null): string[] {
  return judgeWays(createDeployment(differences), sharp, publicUrl, bucket).map(
    ({ level, message }) => `${level}: ${message}`,
  )
}

test('a kit without a public URL works by way of the bucket, and that is said', () => {
  expect(judged(kit, null, null)).toEqual([
    expect.stringMatching(/^problem: Nothing can be started: its worker uploads/),
  ])
  expect(judged(kit, null, s3)).toEqual([
    `ok: Photos go by signed link (bucket at ${s3}) or inside the request, outputs come by upload (bucket at ${s3}).`,
  ])
})

test('the bucket goes before the public URL', () => {
  expect(judged(kit, 'https://gateway.example', s3)[0]).toContain(`upload (bucket at ${s3})`)
  expect(judged(kit, 'https://gateway.example', null)[0]).toContain('by upload to us')
})

test('a bucket helps nothing where the end must be heard', () => {
  const heard: Differences = { limits: { needsCallback: true } }
  expect(judged(heard, null, s3)).toEqual([
    'problem: Nothing can be started: its outputs are sent to an address of ours only, and there is no public URL.',
  ])
})

test('a bucket that the vendor cannot reach is said to be none', () => {
  expect(judged(kit, null, 'http://10.0.0.5:9000')).toEqual([
    expect.stringMatching(/there is no public URL, nor can the bucket at http:\/\/10\.0\.0\.5:9000\.$/),
  ])
})

test.each([
  ['none', null, null, null],
  ["AWS's own", { bucket: 'b', region: 'eu-central-1' }, null, s3],
  [
    'one elsewhere',
    { bucket: 'b', region: 'auto', endpoint: 'https://r2.example' },
    'https://us.example',
    'https://r2.example',
  ],
  [
    'its public address',
    { bucket: 'b', region: 'x', endpoint: 'http://minio:9000', publicEndpoint: 'https://s3.example' },
    null,
    'https://s3.example',
  ],
  [
    'one on this machine',
    { bucket: 'b', region: 'x', endpoint: 'http://127.0.0.1:9000' },
    null,
    'http://127.0.0.1:9000',
  ],
  [
    'one on this machine beside a public URL',
    { bucket: 'b', region: 'x', endpoint: 'http://127.0.0.1:9000' },
    'https://us.example',
    null,
  ],
])('workers go to the bucket %s', (_, bucket, publicUrl, url) => {
  expect(bucketUrl(bucket, publicUrl)).toBe(url)
})
