import { afterEach, expect, test, vi } from 'vitest'
import { job, setup } from './test-support.ts'

afterEach(() => void vi.doUnmock('modal'))

test.each<[string, () => object]>([
  ['is not installed', () => Promise.reject(new Error("Cannot find package 'modal'"))],
  ['is the browser dialog of the same name', () => ({ ModalClient: undefined, default: () => 'a modal window' })],
])('where the package %s, a start is refused and the advice says what to install', async (_, mocked) => {
  vi.doMock('modal', mocked)
  const { provider, io } = setup({})
  expect(await provider.start(job(), io)).toMatchObject({
    kind: 'rejected',
    failure: {
      code: 'input_invalid',
      fault: 'config',
      advice: expect.stringContaining('npm install --save-exact modal@0.11.1'),
    },
  })
})

test('the package is loaded again once it is there', async () => {
  vi.doMock('modal', () => Promise.reject(new Error("Cannot find package 'modal'")))
  const { provider, io } = setup({})
  expect((await provider.start(job(), io)).kind).toBe('rejected')
  vi.doUnmock('modal')
  expect(await provider.start(job(), io)).toMatchObject({ failure: { message: expect.stringContaining('no script') } })
})
