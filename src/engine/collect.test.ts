import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFailure, type FailureCode, refuse, SurefootError } from '../core/failure.ts'
import type { OutputReference } from '../core/prediction.ts'
import type { Download, FileStore } from '../files/contract.ts'
import { createS3Files } from '../files/s3.ts'
import { holdFirst, startS3 } from '../files/test-s3.ts'
import { createMemoryFiles } from '../testing/memory-files.ts'
import { textModel } from '../testing/text-model.ts'
import { collectOutput, removeOutput } from './collect.ts'

const key = 'outputs/p1/a1/text.txt'
const url = 'https://files.test/text.txt'
const done: OutputReference = { kind: 'data', uri: `data:text/plain;base64,${btoa('done')}` }

/** A store that others write to by links, as far as a collect sees it. */
function writtenByOthers(files: FileStore): Partial<FileStore> {
  return {
    outside: {
      readUrl: async () => '',
      writeUrl: async () => '',
      async take(from, to) {
        if ((await files.stat(to)) !== null) return 'exists'
        const opened = await files.open(from)
        if (opened === null) return 'missing'
        await files.put(to, opened.body, { maxBytes: 100 })
        await files.remove(from)
        return 'taken'
      },
    },
  }
}

function setup({
  download,
  files: over,
}: {
  download?: Download
  files?: (files: FileStore) => Partial<FileStore>
} = {}) {
  const files = createMemoryFiles()
  const ending = new AbortController()
  const asked: unknown[] = []
  let takings = 0
  return {
    files,
    ending,
    asked,
    collect: (...outputs: OutputReference[]) =>
      collectOutput(
        { ...files, ...over?.(files) },
        (address, { trustedOrigins, maxBytes, signal }) => {
          asked.push({ address, trustedOrigins, maxBytes })
          return (download ?? (async () => ({ body: text('done'), mediaType: null, bytes: 4, name: 'x' })))(address, {
            trustedOrigins,
            maxBytes,
            signal,
          })
        },
        {
          predictionId: 'p1',
          attemptId: 'a1',
          model: textModel,
          outputs,
          trustedOrigins: ['http://127.0.0.1:1'],
          signal: ending.signal,
          newId: () => `taking${++takings}`,
        },
      ),
  }
}

describe('an upload that its sender could replace', () => {
  const upload: OutputReference = { kind: 'stored', key: 'uploads/a1/output' }

  it('is taken to a key of our own and verified there, also when the first try died after that', async () => {
    const stage = setup({ files: writtenByOthers })
    await stage.files.put(upload.key, text('done'), { maxBytes: 100 })
    const output = await stage.collect(upload)
    expect(output).toMatchObject({ key: 'outputs/p1/a1/taking1/text.txt', bytes: 4 })
    expect(stage.files.keys()).toEqual([output.key])
    expect(await stage.collect(upload)).toEqual(output)
  })

  it('is removed with every copy of it', async () => {
    const stage = setup({ files: writtenByOthers })
    for (const folder of ['taking1', 'taking2', 'taking3'])
      await stage.files.put(`outputs/p1/a1/${folder}/text.txt`, text('done'), { maxBytes: 100 })
    await stage.files.put('outputs/p1/a2/taking4/text.txt', text('done'), { maxBytes: 100 })
    const owner = { predictionId: 'p1', attemptId: 'a1', model: textModel }
    await removeOutput({ ...stage.files, ...writtenByOthers(stage.files) }, owner, upload)
    expect(stage.files.keys()).toEqual(['outputs/p1/a2/taking4/text.txt'])
  })

  it('stays what was verified, whatever is uploaded and however late another process copies that', async () => {
    const s3 = await startS3()
    onTestFinished(s3.close)
    let takings = 0
    const collectBy = (files: FileStore) =>
      collectOutput(files, () => refuse('internal', 'Nothing is downloaded here.'), {
        ...{ predictionId: 'p1', attemptId: 'a1', model: textModel, outputs: [upload], trustedOrigins: [] },
        ...{ signal: new AbortController().signal, newId: () => `taking${++takings}` },
      })
    const [files, late] = [createS3Files(s3.options), createS3Files(s3.options)]
    const send = async (words: string) => await files.put(upload.key, text(words), { maxBytes: 100 })
    await send('done')
    const release = holdFirst(s3, request => request.method === 'HEAD' && request.url?.includes('uploads/') === true)
    const lateCollect = collectBy(late)
    await release.held
    const output = await collectBy(files)
    await send('evil')
    release.now()
    await expect(lateCollect).rejects.toMatchObject({ failure: { code: 'output_invalid' } })
    expect(await new Response((await files.open(output.key))?.body).text()).toBe('done')
    expect(await collectBy(late)).toEqual(output)
  })

  it('is lost when nothing is there', async () => {
    const collecting = setup({ files: writtenByOthers }).collect(upload)
    await expect(collecting).rejects.toMatchObject({ failure: { code: 'output_lost' } })
  })
})

describe('an output', () => {
  const stored = {
    key,
    name: 'text.txt',
    mediaType: 'text/plain',
    bytes: 4,
    sha256: createHash('sha256').update('done').digest('hex'),
    facts: { length: 4 },
  }

  it('in a data URI is decoded, stored and verified', async () => {
    expect(await setup().collect(done)).toEqual(stored)
  })

  it('behind a URL is downloaded within the model’s limit', async () => {
    const stage = setup()
    expect(await stage.collect({ kind: 'url', url })).toEqual(stored)
    expect(stage.asked).toEqual([{ address: url, trustedOrigins: ['http://127.0.0.1:1'], maxBytes: 1_000 }])
  })

  it('on this machine is taken over', async () => {
    const taken: string[] = []
    const stage = setup({
      files: files => ({
        adopt(at, path, options) {
          taken.push(path)
          return files.put(at, text('done'), options)
        },
      }),
    })
    expect(await stage.collect({ kind: 'path', path: '/work/scene.ply' })).toEqual(stored)
    expect(taken).toEqual(['/work/scene.ply'])
  })

  it('that a kit has uploaded stays where it is', async () => {
    const stage = setup()
    await stage.files.put('uploads/a1/text.txt', text('done'), { maxBytes: 10 })
    expect(await stage.collect({ kind: 'stored', key: 'uploads/a1/text.txt' })).toEqual({
      ...stored,
      key: 'uploads/a1/text.txt',
    })
  })

  it('that an earlier collect had brought already is only verified', async () => {
    const stage = setup()
    await stage.files.put(key, text('done'), { maxBytes: 10 })
    const other: OutputReference = { kind: 'data', uri: `data:text/plain;base64,${btoa('late')}` }
    expect(await stage.collect(other)).toEqual(stored)
  })

  it('is the first one where the provider names several', async () => {
    const wrong: OutputReference = { kind: 'data', uri: `data:text/plain;base64,${btoa('wrong')}` }
    expect(await setup().collect(done, wrong)).toEqual(stored)
  })
})

describe('no output', () => {
  async function codeOf(promise: Promise<unknown>): Promise<FailureCode | string> {
    return await promise.then(
      () => 'collected',
      error => (SurefootError.is(error) ? error.failure.code : String(error)),
    )
  }
  const failing =
    (code: FailureCode): Download =>
    () =>
      Promise.reject(new SurefootError(createFailure(code, 'no')))

  it('is named: it is lost', async () => {
    expect(await codeOf(setup().collect())).toBe('output_lost')
  })

  it('passes that is wrong, and nothing of it stays', async () => {
    const stage = setup()
    const wrong: OutputReference = { kind: 'data', uri: `data:text/plain;base64,${btoa('wrong')}` }
    expect(await codeOf(stage.collect(wrong))).toBe('output_invalid')
    expect(stage.files.keys()).toEqual([])
  })

  it('passes that is larger than the model allows, and nothing of it stays', async () => {
    const stage = setup({
      download: async () => ({ body: text('x'.repeat(1_001)), mediaType: null, bytes: null, name: 'x' }),
    })
    expect(await codeOf(stage.collect({ kind: 'url', url }))).toBe('output_too_large')
    expect(stage.files.keys()).toEqual([])
  })

  it('passes that is shorter than was promised', async () => {
    const stage = setup({ download: async () => ({ body: text('do'), mediaType: null, bytes: 4, name: 'x' }) })
    expect(await codeOf(stage.collect({ kind: 'url', url }))).toBe('output_invalid')
  })

  it.each([
    ['input_invalid', 'output_lost'],
    ['input_too_large', 'output_too_large'],
    ['provider_unreachable', 'provider_unreachable'],
  ] as const)('a download that fails as %s is %s', async (code, expected) => {
    expect(await codeOf(setup({ download: failing(code) }).collect({ kind: 'url', url }))).toBe(expected)
  })

  it('a data URI that is none is lost, not the fault of the input', async () => {
    expect(await codeOf(setup().collect({ kind: 'data', uri: 'data:text/plain;base64,***' }))).toBe('output_lost')
  })

  it('a full disk keeps its own name', async () => {
    const full = () => refuse('storage_full', 'full')
    const stage = setup({ files: () => ({ put: async () => full() }) })
    expect(await codeOf(stage.collect(done))).toBe('storage_full')
  })

  it('an uploaded file that is not there is lost', async () => {
    expect(await codeOf(setup().collect({ kind: 'stored', key: 'uploads/a1/text.txt' }))).toBe('output_lost')
  })

  it('a collect that was cut off says so', async () => {
    const stage = setup()
    stage.ending.abort(new Error('cut'))
    expect(await codeOf(stage.collect(done))).toContain('cut')
  })
})

async function* text(words: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(words)
}
