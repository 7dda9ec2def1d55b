import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { expect, onTestFinished, test } from 'vitest'
import { checkSharp } from './sharp-check.ts'

/** A console script as pip writes it, with an interpreter that answers as told; source: setuptools' script template. */
async function setup({
  help = '  -c, --checkpoint-path FILE',
  facts = ['torch 2.8.0', 'cuda ', 'mps '],
  weights = true,
} = {}) {
  const root = await mkdtemp(join(tmpdir(), 'surefoot-check-'))
  onTestFinished(() => rm(root, { recursive: true, force: true }))
  const [python, command, hub] = [join(root, 'python3.13'), join(root, 'sharp'), join(root, 'hub')]
  const said = ['python 3.13.1', 'sharp 0.1', ...facts, `hub ${hub}`].join('\n')
  // Asked with -c it tells what it knows; with the script's path it is the script.
  await writeFile(python, `#!/bin/sh\nif [ "$1" = -c ]; then echo "${said}"; else echo "${help}"; fi\n`)
  await writeFile(command, `#!${python}\n`)
  await mkdir(join(hub, 'checkpoints'), { recursive: true })
  if (weights) await writeFile(join(hub, 'checkpoints', 'sharp_2572gikvuh.pt'), 'weights')
  for (const path of [python, command]) await chmod(path, 0o755)
  const check = async (target: object = {}, signal: AbortSignal = AbortSignal.timeout(20_000)) =>
    (await checkSharp({ command, ...target }, { PATH: '/bin:/usr/bin' }, signal)).map(
      ({ code, level, message }) => `${code} ${level}: ${message}`,
    )
  return { root, command, hub, check }
}

test('an installation with a GPU and weights is well, but for the licence', async () => {
  const { check, command, hub } = await setup({ facts: ['torch 2.8.0', 'cuda NVIDIA L4', 'mps '] })
  expect(await check()).toEqual([
    `sharp-command ok: ${command} is there (version 0.1, Python 3.13.1, PyTorch 2.8.0).`,
    'sharp-device ok: It runs on NVIDIA L4 (CUDA).',
    `sharp-weights ok: Its weights are ${join(hub, 'checkpoints', 'sharp_2572gikvuh.pt')} (0.0 GB).`,
    expect.stringMatching(/^sharp-licence warning: .*research only/),
  ])
})

test.for([
  { words: 'no GPU', target: {}, facts: undefined, says: /^sharp-device problem: PyTorch finds no CUDA or MPS/ },
  {
    words: 'no GPU and the processor named',
    target: { device: 'cpu' },
    facts: undefined,
    says: /^sharp-device ok: .*minutes/,
  },
  {
    words: 'MPS where CUDA is named',
    target: { device: 'cuda' },
    facts: ['torch 2', 'cuda ', 'mps yes'],
    says: /no CUDA device/,
  },
  { words: 'MPS', target: {}, facts: ['torch 2', 'cuda ', 'mps yes'], says: /runs on MPS/ },
  { words: 'a Python that fails half way', target: {}, facts: [], says: /^sharp-device warning/ },
])('$words is told', async ({ target, facts, says }) => {
  const { check } = await setup(facts === undefined ? {} : { facts })
  expect((await check(target))[1]).toMatch(says)
})

test('weights that are not there are a download to come, or a problem where they are named', async () => {
  const { check } = await setup({ weights: false })
  expect((await check())[2]).toMatch(/^sharp-weights warning: .*download 2\.8 GB/)
  expect((await check({ checkpoint: '/nowhere/sharp.pt' }))[2]).toMatch(/^sharp-weights problem: .*\/nowhere/)
})

test('another command of that name is a problem, and so is none', async () => {
  const { check } = await setup({ help: 'sharp <command> [options]' })
  expect(await check()).toEqual([expect.stringMatching(/^sharp-command problem: .* is not Apple's sharp/)])
  expect(await check({ command: '/nowhere/sharp' })).toEqual([
    'sharp-command problem: There is no command "/nowhere/sharp".',
  ])
})

test('a command that does not answer in time is a warning', async () => {
  const { root, check } = await setup()
  const slow = join(root, 'slow')
  await writeFile(slow, `#!/bin/sh\nexec "${execPath}" -e "setInterval(() => {}, 1e6)"\n`)
  await chmod(slow, 0o755)
  expect(await check({ command: slow }, AbortSignal.timeout(50))).toEqual([
    expect.stringMatching(/^sharp-command warning: .*in time/),
  ])
})
