import type { ModalClient } from 'modal'
import { expect, expectTypeOf, test } from 'vitest'
import type { z } from 'zod'
import type { Observation } from '../contract.ts'
import { observe } from './observe.ts'
import type { RpcName } from './sdk.ts'
import {
  blobCreatedSchema,
  type blobSchema,
  type callSchema,
  type infoSchema,
  outputsSchema,
  type WireFunction,
  type WireOutputs,
  type WireStats,
} from './wire.ts'

/**
 * The messages of `modal` 0.11.1, which its declarations hold although the package exports no names for them, against what
 * the adapter reads. What the emulator answers is encoded by hand and decoded by the package: `emulators/modal/client.test.ts`.
 */
type Client = ModalClient['cpClient']
type Answer<Name extends RpcName> = Awaited<ReturnType<Client[Name]>>
type Output = Answer<'functionGetOutputs'>['outputs'][number]
type Result = NonNullable<Output['result']>

test('the adapter reads every value of the published messages', () => {
  // Declarations that cannot be resolved would fit everything.
  expectTypeOf<Client>().not.toBeAny()
  expectTypeOf<Output>().not.toBeAny()
  expectTypeOf<Answer<'functionMap'>>().toExtend<z.output<typeof callSchema>>()
  expectTypeOf<Answer<'functionGetCurrentStats'>>().toExtend<WireStats>()
  expectTypeOf<Answer<'blobGet'>>().toExtend<z.output<typeof blobSchema>>()
  expectTypeOf<Answer<'functionCallGetInfo'>>().toExtend<z.output<typeof infoSchema>>()
  expectTypeOf<Answer<'functionGet'>>().toExtend<WireFunction>()
  // In declarations of protobuf every message may be absent, and an address for one part stands beside one for several.
  expectTypeOf<{ outputs: (Output & { result: Result })[]; numUnfinishedInputs: number }>().toExtend<WireOutputs>()
  expectTypeOf<Answer<'blobCreate'> & { uploadUrl: string }>().toExtend<z.output<typeof blobCreatedSchema>>()
})

test('an output without a result, and a blob in several parts, are refused: never a success', () => {
  const output: Output = {
    result: undefined,
    idx: 0,
    inputId: 'in-1',
    dataFormat: 0,
    taskId: '',
    inputStartedAt: 0,
    outputCreatedAt: 0,
    retryCount: 0,
    fcTraceTag: '',
  }
  expect(outputsSchema.safeParse({ outputs: [output], numUnfinishedInputs: 0 }).success).toBe(false)
  const multipart: Answer<'blobCreate'> = { blobId: 'bl-1', multipart: undefined, blobIds: [] }
  expect(blobCreatedSchema.safeParse(multipart).success).toBe(false)
})

/** Every status of the published enum, and what it means to us: one more there, or one less, is an error here. */
const meanings: { readonly [status in Result['status']]: readonly [Observation['status'], word: string] } = {
  0: ['failed', 'UNSPECIFIED'],
  1: ['succeeded', 'SUCCESS'],
  2: ['failed', 'FAILURE'],
  3: ['canceled', 'TERMINATED'],
  4: ['failed', 'TIMEOUT'],
  5: ['failed', 'INIT_FAILURE'],
  6: ['failed', 'INTERNAL_FAILURE'],
  7: ['failed', 'IDLE_TIMEOUT'],
  8: ['failed', 'MEMORY_MANAGER_EVICTION'],
  // What the declarations call a number that they do not know.
  [-1]: ['failed', 'status -1'],
}

test.each(Object.entries(meanings))('the status %s is %s', async (status, [meaning, word]) => {
  const seen = await observe({ result: { status: Number(status) } }, null, async () => null)
  expect(seen).toMatchObject({ status: meaning, word })
})
