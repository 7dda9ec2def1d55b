import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createFailure } from '../core/failure.ts'
import { plainScript, type Script } from '../testing/scripted-provider.ts'
import { request, setup } from './test-support.ts'

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: unknown
}

/** Runs one prediction to its end and answers what was logged. */
async function logOf(script: Script, over: Parameters<typeof request>[0] = {}, words = 'no words') {
  const lines: Line[] = []
  const { boot, clock, read } = await setup({
    script: () => script,
    policy: { attempts: 2, unknownMs: 2_000 },
    notify: async () => false,
    dress: provider => ({
      ...provider,
      async start(job, io) {
        if (script.start === 'rejected')
          return { kind: 'rejected', failure: createFailure('model_error', `It said ${words}.`) }
        return await provider.start(job, io)
      },
    }),
  })
  const { engine } = await boot({ log: (level, message, fields) => void lines.push({ level, message, fields }) })
  const { record } = await engine.create(request(over))
  for (let waited = 0; waited < 300 && (await read(record.id)).completedAt === null; waited++)
    await clock.advance(1_000)
  await clock.advance(10_000)
  return { lines, record: await read(record.id) }
}

it('tells each failure, each new try and the end once, with ids and codes', async () => {
  const { lines, record } = await logOf({ ...plainScript, end: 'gone' })
  const ids = record.attempts.map(({ id }) => id)
  expect(ids).toHaveLength(2)
  const of = (message: string) =>
    lines.filter(line => line.message === message).map(({ fields }) => (fields as { attempt?: string }).attempt)
  expect(of('An attempt failed.')).toEqual(ids)
  expect(of('A prediction is tried again.')).toEqual(ids.slice(1))
  expect(lines.filter(({ message }) => message === 'A prediction ended.')).toMatchObject([
    { level: 'warn', fields: { prediction: record.id, status: 'failed', attempts: 2 } },
  ])
})

it('tells a start whose answer was lost', async () => {
  const { lines } = await logOf({ ...plainScript, start: 'lost' })
  expect(lines.filter(({ message }) => message.startsWith('A start got no answer'))).toHaveLength(1)
})

it('writes nothing of what callers and vendors say', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.stringMatching(/^s3cret[a-z]{6}$/),
      fc.constantFrom<Script>(plainScript, { ...plainScript, start: 'rejected' }, { ...plainScript, output: '' }),
      async (word, script) => {
        const webhook = { url: `https://${word}.example/${word}`, events: ['completed'] as const }
        const { lines } = await logOf(script, { owner: word, input: { prompt: word }, webhook }, word)
        expect(lines.length).toBeGreaterThan(0)
        expect(JSON.stringify(lines)).not.toContain(word)
      },
    ),
    { numRuns: 9 },
  )
})
