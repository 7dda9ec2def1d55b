import { expect, test } from 'vitest'
import { loadSdk } from './sdk.ts'

test('a package that is not there is named, with the command that installs it', async () => {
  const load = () => Promise.reject(new Error("Cannot find package '@aws-sdk/client-ecs'"))
  await expect(loadSdk('@aws-sdk/client-ecs', load, new AbortController().signal)).rejects.toMatchObject({
    failure: {
      code: 'deployment_missing',
      fault: 'config',
      advice: 'Install it beside surefoot: npm install @aws-sdk/client-ecs@3',
    },
  })
})

test('loading ends with the signal', async () => {
  const stop = new AbortController()
  const loading = loadSdk('@aws-sdk/client-ecs', () => new Promise(() => {}), stop.signal)
  stop.abort(new Error('time is up'))
  await expect(loading).rejects.toThrow('time is up')
})
