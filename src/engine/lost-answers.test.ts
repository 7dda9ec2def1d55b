import { expect, it } from 'vitest'
import { createFailure, SurefootError } from '../core/failure.ts'
import type { Model } from '../models/contract.ts'
import type { Store } from '../store/contract.ts'
import { textModel } from '../testing/text-model.ts'
import type { CreateRequest } from './contract.ts'
import { request, setup } from './test-support.ts'

const rule = { maxBytes: 1_000, required: false, check: async () => ({ mediaType: 'text/plain', facts: {} }) }
const model: Model = { ...textModel, fileFields: { note: rule } }
const away = new SurefootError(createFailure('internal', 'The database is away.', { fault: 'config' }), { status: 503 })

/** A database that takes the next write, whose answer is lost, and can tell of no prediction from then on until it is `back`. */
function losing(store: Store) {
  let isAway = false
  return {
    store: {
      ...store,
      async commit(changes) {
        await store.commit(changes)
        isAway = true
        throw away
      },
      get: async id => (isAway ? Promise.reject(away) : await store.get(id)),
    } satisfies Store,
    back: () => (isAway = false),
  }
}

const note = { input: { note: 'data:text/plain;base64,aGVsbG8=' } }

it.each<[string, Partial<CreateRequest>]>([
  ['', note],
  [' with a key', { ...note, idempotencyKey: 'order 17' }],
])('a prediction%s whose insert was taken keeps its input although the answer was lost', async (_, over) => {
  const stage = await setup({ model })
  const { store, back } = losing(stage.store)
  const { engine } = stage.prepare({ store })
  await expect(engine.create(request(over))).rejects.toBe(away)
  back()
  const [made] = await engine.list({ owner: null, limit: 9 })
  const file = made?.record.files.note
  expect(file).toMatchObject({ bytes: 5 })
  expect([stage.files.has(file?.key ?? ''), stage.files.keys().length]).toEqual([true, 1])
})

it('what came with a request whose prediction another process made is removed where the refusal is sure', async () => {
  const stage = await setup({ model })
  const { engine: other } = stage.prepare()
  const add = async () => {
    const body = new Blob(['hello']).stream()
    return await other.addFile({ owner: 'local', name: 'n', mediaType: 'text/plain', metadata: {}, body, maxBytes: 9 })
  }
  const keyed = async () => {
    const row = await add()
    return request({ files: { note: row }, newFiles: [row.id], idempotencyKey: 'order 17' })
  }
  const [first, second] = [await keyed(), await keyed()]
  // Between the look for the key and the insert: the other process makes it, and the file of this request cannot be held.
  const holdFile = async () => {
    await other.create(first)
    return false
  }
  const { engine } = stage.prepare({ store: { ...stage.store, holdFile } })
  const made = await engine.create(second)
  expect(made.record.input).toEqual({ note: `/v1/files/${first.newFiles?.[0]}` })
  expect(await stage.sqlite.getFile(second.newFiles?.[0] ?? '')).toBe(null)
})
