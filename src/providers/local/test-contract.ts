import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { FileStore } from '../../files/contract.ts'
import { createSimulatedClock, type SimulatedClock } from '../../testing/clock.ts'
import { createMemoryFiles } from '../../testing/memory-files.ts'
import type { ProviderUnderTest } from '../../testing/provider-under-test.ts'
import {
  type NamedSuite,
  type Skip,
  usualCells,
  withoutFind,
  withoutInlineOutputs,
  withoutWarming,
  withoutWebhooks,
} from '../../testing/test-cells.ts'
import type { Job, Provider } from '../contract.ts'
import { workFolderAt } from './folder.ts'
import { local } from './index.ts'

/** An engine that does as the file `do` beside it says. */
const engineSource = `
import { copyFile, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

const told = readFileSync(new URL('do', import.meta.url), 'utf8')
const sample = (stated, given) => 'sample ' + stated + '\\\\n' + 'x'.repeat(given)

export async function run({ input, files, outputPath }, report) {
  report.progress('work', 0.1)
  if (told === 'throw') throw new Error('Input image must have 3 channels, got 4')
  if (told === 'crash') process.kill(process.pid, 'SIGKILL')
  if (told === 'hoard') for (const kept = []; ; ) kept.push(new Array(1000).fill(kept.length))
  for (let step = 2; step <= 9; step++) {
    report.progress('work', step / 10)
    if (told === 'show') await wait(120)
  }
  if (told === 'stop') for (;;) await wait(60_000)
  if (input.give === 'page') return await writeFile(outputPath, '<!doctype html><title>Sign in</title>')
  if (told === 'cut') return await writeFile(outputPath, sample(input.give, input.give / 2))
  if (typeof input.give === 'number') return await writeFile(outputPath, sample(input.give, input.give))
  await copyFile(files.image, outputPath)
}
`.replaceAll('\\\\', '\\')

/** Real time for a process of its own: a fiftieth of what is asked for, since nothing here waits longer than for that. */
function createPatience(): SimulatedClock {
  return { ...createSimulatedClock(), now: Date.now, advance: ms => wait(Math.min(ms / 50, 100)), waiting: 0 }
}

/** Whoever collects an output of this machine takes the file over. */
function createFiles(): FileStore {
  const files = createMemoryFiles()
  return { ...files, adopt: (key, path, options) => files.put(key, new Blob([readFileSync(path)]).stream(), options) }
}

/** The engine keeps input files on disk before it starts anything here. */
function withFilesOnDisk(provider: Provider, folder: string): Provider {
  return {
    ...provider,
    async start(job, io) {
      const files: { [field: string]: Job['files'][string] } = {}
      for (const [field, file] of Object.entries(job.files)) {
        const path = join(folder, `${job.marker.attemptId}-${field}`)
        writeFileSync(path, await new Response(await file.open()).bytes())
        files[field] = { ...file, path }
      }
      return await provider.start({ ...job, files }, io)
    },
  }
}

/** The real thing in a folder of its own: there is no vendor to emulate. */
function open([told = 'copy']: readonly string[]): ProviderUnderTest {
  const root = mkdtempSync(join(tmpdir(), 'surefoot-contract-'))
  const directory = join(root, 'work')
  mkdirSync(directory)
  const engine = join(root, 'engine.mjs')
  writeFileSync(engine, engineSource)
  writeFileSync(join(root, 'do'), told)
  const provider = local({ directory, memoryMb: 32, engines: { script: pathToFileURL(engine) } })
  const attempts = () => readdirSync(directory)
  return {
    provider: withFilesOnDisk(provider, root),
    // The suite's model is SHARP, and a relief is never handed out under its name.
    target: { engine: told === 'relief' ? 'relief' : 'script' },
    clock: createPatience(),
    fetch: () => Promise.reject(new Error('nothing of this provider goes over the network')),
    files: createFiles(),
    webhookUrl: null,
    isFree: true,
    heard: () => [],
    submits: () => attempts().length,
    close() {
      // A worker looks for this file all the time, and ends.
      for (const attempt of attempts()) writeFileSync(workFolderAt(join(directory, attempt)).canceled, '')
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

const noNetwork: Skip = {
  skip: 'Nothing goes over a network: a process of this machine is started and its files are read',
}
const noQueue: Skip = { skip: 'There is no queue and no boot: a process is there or is not' }
const ownWords: Skip = { skip: 'The words are those of our own worker, a closed list' }
const noLink: Skip = { skip: 'The output is a file of this machine: there is no link' }

export const contracts: readonly NamedSuite[] = [
  {
    name: 'local',
    open,
    cells: {
      ...usualCells,
      'start: rejected with 401': noNetwork,
      'start: rejected with 402': noNetwork,
      'start: rejected with 403': noNetwork,
      'start: rejected because the target is missing': ['relief'],
      'start: rejected because of a bad token that looks like a missing target': noNetwork,
      'start: rejected with 409': noNetwork,
      'start: rejected with 413': noNetwork,
      'start: rejected with 422': noNetwork,
      'start: rejected with 429 and seconds': noNetwork,
      'start: rejected with 429 and a fraction': noNetwork,
      'start: rejected with 429 and a date': noNetwork,
      'start: rejected with 429 and a hint in the body': noNetwork,
      'start: rejected with a bare 429': noNetwork,
      'start: rejected because nobody listens': noNetwork,
      'start: rejected because an input cannot be uploaded': noNetwork,
      'start: unknown after a 409 from in between': noNetwork,
      'start: unknown after 500': noNetwork,
      'start: unknown after 502': noNetwork,
      'start: unknown after 503': noNetwork,
      'start: unknown after 504': noNetwork,
      'start: unknown after 524': noNetwork,
      'start: unknown after an HTML page with 200': noNetwork,
      'start: unknown after an error object with 200': noNetwork,
      'start: unknown after a cut connection': noNetwork,
      'start: unknown when no byte comes and the signal ends it': noNetwork,
      ...withoutFind('A start is lost here only with its gateway; finding it is exact (index.test.ts)'),
      'poll: every stage to success, with progress': ['show'],
      'poll: never a worker': noQueue,
      'poll: never booted': noQueue,
      'poll: stalls, and nothing visible changes': ['stop'],
      'poll: progress begins again': { skip: 'An attempt has one process, which begins once' },
      'poll: the model fails': ['throw'],
      'poll: the GPU runs out of memory': { skip: 'What an engine with a GPU says is its own: sharp-engine.test.ts' },
      'poll: the machine runs out of memory': ['hoard'],
      'poll: the vendor gives up booting': noQueue,
      'poll: the worker is taken away': ['crash'],
      'poll: the vendor cannot store the output': { skip: 'A full disk is storage_full (index.test.ts)' },
      'poll: ended by the vendor before it started': noQueue,
      'poll: a word nobody knows': ownWords,
      'poll: a last word nobody knows': ownWords,
      'poll: 404 just after the start': noNetwork,
      'poll: 404 for good': { skip: 'A work folder that is gone is in index.test.ts' },
      'poll: 401 while it runs': noNetwork,
      'poll: 402': noNetwork,
      'poll: 403': noNetwork,
      'poll: 409': noNetwork,
      'poll: 422': noNetwork,
      'poll: 429 and seconds': noNetwork,
      'poll: 429 and a fraction': noNetwork,
      'poll: 429 and a date': noNetwork,
      'poll: 429 and a hint in the body': noNetwork,
      'poll: a bare 429': noNetwork,
      'poll: a burst of 503': noNetwork,
      'poll: HTML pages with 200': noNetwork,
      'poll: error objects with 200': noNetwork,
      'poll: cut in the middle of the body': noNetwork,
      'poll: the bytes come slowly': noNetwork,
      'poll: no byte comes and the signal ends it': noNetwork,
      ...withoutInlineOutputs('The output is a file of this machine, of any size'),
      'output: missing': { skip: 'An engine that leaves no file has failed: there is no success without one' },
      'output: an empty object': { skip: 'The output is a file, never an object' },
      'output: cut off': ['cut'],
      'output: the bytes come slowly': noLink,
      'output: its link has expired': noLink,
      'output: purged by the vendor': { skip: 'Work folders are kept for a day (index.test.ts)' },
      'cancel: confirmed by polling': ['stop'],
      'cancel: before it runs': ['stop'],
      'cancel: ignored': { skip: 'A process that is killed ignores nothing' },
      'cancel: too late': { skip: 'A cancel after the end says "ended" and removes the output (index.test.ts)' },
      'cancel: lost, then confirmed': noNetwork,
      ...withoutWebhooks('Nothing here calls anybody: the work folder is looked at'),
      ...withoutWarming('A process is started for every run: nothing stays warm'),
    },
  },
]
