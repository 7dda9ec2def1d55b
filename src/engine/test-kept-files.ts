import type { Observation } from '../core/observation.ts'
import type { PredictionRecord } from '../core/prediction.ts'
import type { Io } from '../providers/contract.ts'
import { textModel } from '../testing/text-model.ts'
import { request, setup } from './test-support.ts'

type Keep = NonNullable<Io['keep']>

interface Surroundings {
  readonly attemptId: string
  stat(key: string): Promise<unknown>
}

/**
 * What becomes of a prediction whose run is polled, when its answers are made by `answer` of what the scripted provider says:
 * the settled record, the keys of all files, and what was said.
 */
export async function outcome(
  answer: (seen: Observation, keep: Keep, cancel: () => Promise<unknown>, around: Surroundings) => Promise<Observation>,
) {
  const polls: Observation[] = []
  let id = ''
  const stage = await setup({
    policy: { attempts: 1 },
    dress: provider => ({
      ...provider,
      async poll(handle, io) {
        const seen = await provider.poll?.(handle, io)
        if (seen === undefined || io.keep === undefined) throw new Error('a run is polled, and a poll may keep files')
        polls.push(seen)
        const attemptId = (await stage.read(id)).attempts[0]?.id ?? ''
        const cancel = async () => await engine.cancel(id)
        return await answer(seen, io.keep, cancel, { attemptId, stat: stage.files.stat })
      },
    }),
  })
  const { engine } = await stage.boot()
  id = (await engine.create(request())).record.id
  let record: PredictionRecord = await stage.read(id)
  for (let waited = 0; waited < 200 && record.settledAt === null; waited++) {
    await stage.clock.advance(1_000)
    record = await stage.read(id)
  }
  return { record, polls, files: stage.files.keys(), model: textModel }
}
