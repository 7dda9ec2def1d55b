import { expect, test } from 'vitest'
import { loadSdk } from './sdk.ts'

test('a package that is not there is named, with the command that installs it', async () => {
  const load = () => Promise.reject(new Error("Cannot find package '@aws-sdk/client-ecs'"))
  await expect(loadSdk('@aws-sdk/client-ecs', load)).rejects.toMatchObject({
    failure: { fault: 'config', advice: 'Install it beside surefoot: npm install @aws-sdk/client-ecs@3' },
  })
})
