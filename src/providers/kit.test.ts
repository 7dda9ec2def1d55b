import { expect, test } from 'vitest'
import { failureCodes } from '../core/failure.ts'
import { failureOfWords } from './aws/kit.ts'
import { failureOfRun as failureOfBaseten, failureOfModel } from './baseten/failure.ts'
import { failureOfRun as failureOfCog } from './cog/failure.ts'
import { failureOfKit, withProof } from './kit.ts'
import { failureOfFunction } from './modal/failure.ts'
import { failureOfRun as failureOfReplicate } from './replicate/failure.ts'
import { failureOfRun as failureOfRunpod } from './runpod/failure.ts'

const words = "[surefoot:output_lost] The output's upload was refused: https://gateway.example/… answered 403."
const exception = JSON.stringify({ error_type: "<class 'surefoot_kit.failure.KitError'>", error_message: words })

test.each([
  ['RunPod, as an answer', () => failureOfRunpod(words)],
  ['RunPod, raised', () => failureOfRunpod(exception)],
  ['Replicate', () => failureOfReplicate(words, 1000)],
  ['Cog', () => failureOfCog(`Prediction failed: Prediction failed: KitError: ${words}`, 'Cog')],
  ['Baseten, by webhook', () => failureOfBaseten([{ code: 'MODEL_PREDICT_ERROR', message: `{"error":"x"} ${words}` }])],
  ['Baseten, as a bad input', () => failureOfBaseten([{ code: 'MODEL_INVALID_INPUT', message: words }])],
  ['Baseten, held', () => failureOfModel(words)],
  ['Modal', () => failureOfFunction(`KitError("${words}")`)],
  ['AWS', () => failureOfWords(words)],
])("a kit's own code and words are read: %s", (where, read) => {
  const vendor = where.split(/[ ,]/)[0]
  expect(read()).toMatchObject({
    code: 'output_lost',
    message: `${vendor}: The output's upload was refused: https://gateway.example/… answered 403.`,
  })
})

test('a worker may say what went wrong with its run, and nothing of accounts, timers or us', () => {
  const told = failureCodes.filter(code => failureOfKit(`[surefoot:${code}] So it is.`, 'Vendor')?.code === code)
  expect(told).toEqual([
    ...['input_invalid', 'input_too_large', 'model_error', 'out_of_memory', 'no_gpu', 'output_invalid', 'output_lost'],
    ...['output_too_large', 'worker_lost', 'deployment_missing', 'provider_error', 'provider_unreachable'],
  ])
  expect(failureOfRunpod('[surefoot:account_locked] Pay up.').code).toBe('model_error')
  expect(failureOfKit('[surefoot:no_such_code] Why.', 'Vendor')).toBeNull()
  expect(failureOfKit('ValueError: no face', 'Vendor')).toBeNull()
})

test("a kit's failure without words is still one sentence", () => {
  expect(failureOfKit("KitError('[surefoot:no_gpu] ')", 'Modal')?.message).toBe(
    'Modal: the kit failed without saying why.',
  )
})

test('the proof of a job is what kits/core checks: tests/test_job.py has the same', () => {
  const part = {
    attempt: 'a1',
    upload: { url: 'https://g.example/up?signature=s' },
    hello: 'https://g.example/hello',
  }
  expect(withProof(part, 'correct horse', ['https://g.example/in?signature=i'])).toEqual({
    ...part,
    proof: '0684fd791c3595cf31ffdb953890f7144cf5ac64c5427b51e65382808d241779',
  })
})
