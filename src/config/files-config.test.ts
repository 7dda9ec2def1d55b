import { expect, test } from 'vitest'
import { SurefootError } from '../core/failure.ts'
import { parseConfig } from './parse-config.ts'

const bucket = { bucket: 'splats', region: 'auto' }

function said(s3: unknown): string {
  try {
    parseConfig({ files: { s3 } }, 'surefoot.config.ts')
  } catch (error) {
    if (SurefootError.is(error)) return error.failure.message
    throw error
  }
  return 'taken'
}

test('a bucket is taken with all that can be said of it', () => {
  const s3 = {
    ...bucket,
    endpoint: 'https://account.r2.cloudflarestorage.com',
    publicEndpoint: 'https://s3.example',
    prefix: 'gateway/one',
    pathStyle: true,
    checksums: false,
    credentials: { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c' },
  }
  expect(parseConfig({ files: { s3 } }, 'surefoot.config.ts').files?.s3).toEqual(s3)
})

test.each([
  [{ region: 'auto' }, 'files.s3.bucket: is missing'],
  [{ ...bucket, bucket: 's3://splats' }, 'files.s3.bucket: is no name of a bucket'],
  [{ bucket: 'splats' }, 'files.s3.region: is missing'],
  [{ ...bucket, endPoint: 'x' }, 'unknown key "files.s3.endPoint". Did you mean "endpoint"?'],
  [{ ...bucket, endpoint: 'https://host/path' }, 'files.s3.endpoint: has a path'],
  [{ ...bucket, prefix: '/a' }, 'files.s3.prefix: '],
  [{ ...bucket, credentials: { accessKeyId: 'a' } }, 'files.s3.credentials.secretAccessKey: is missing'],
  [{ ...bucket, credentials: { key: 'a' } }, 'files.s3.credentials.'],
])('%j is refused in one sentence', (s3, words) => {
  expect(said(s3)).toContain(words)
})
