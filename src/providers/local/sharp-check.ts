import { type ExecFileException, execFile } from 'node:child_process'
import { open, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Finding } from '../contract.ts'
import { ok, problem, warning } from '../finding.ts'
import { type SharpTarget, usualCommand } from './sharp-target.ts'
import type { Environment } from './worker-process.ts'

/** As apple/ml-sharp's README has it; the file of `-c`, and the one in PyTorch's cache. */
const weightsName = 'sharp_2572gikvuh.pt'

/** What Python knows of the installation; each line stands alone, so that one that fails hides no other. */
const question = `
import importlib.metadata as m, sys
print('python', sys.version.split()[0])
print('sharp', m.version('sharp'))
import torch
print('torch', torch.__version__)
print('cuda', torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')
print('mps', 'yes' if torch.backends.mps.is_available() else '')
print('hub', torch.hub.get_dir())
`

const install =
  "Install Apple's ml-sharp (github.com/apple/ml-sharp) and name the absolute path of its `sharp` as `command` in the deployment's target."

/** Whether Apple's `sharp` is there and can be run, on what, and with which weights. Downloads nothing, predicts nothing. */
export async function checkSharp(
  { command = usualCommand, device, checkpoint }: SharpTarget,
  environment: Environment,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const path = await findCommand(command, environment)
  if (path === null) return [problem('sharp-command', `There is no command "${command}".`, install)]
  const ask = (file: string, args: readonly string[]) => execute(file, args, environment, signal)
  const [help, python] = await Promise.all([ask(path, ['predict', '--help']), pythonOf(path)])
  if (help.error !== null && signal.aborted)
    return [warning('sharp-command', `${path} did not answer in time; its libraries are large.`, 'Ask once more.')]
  if (help.error !== null || !help.text.includes('--checkpoint-path'))
    return [
      problem(
        'sharp-command',
        `${path} is not Apple's sharp, or cannot be run: ${lastLine(help.text)}`,
        `The npm package sharp-cli has a command of that name too. ${install}`,
      ),
    ]
  const facts = readFacts(python === null ? '' : (await ask(python, ['-c', question])).text)
  return [
    ok('sharp-command', `${path} is there${versionsIn(facts)}.`),
    judgeDevice(device, facts),
    await judgeWeights(checkpoint, facts),
    warning(
      'sharp-licence',
      "SHARP's weights are licensed by Apple for research only: no commercial use.",
      'Whoever runs this deployment must have accepted the licence; Surefoot brings no weights and never downloads them.',
    ),
  ]
}

function judgeDevice(device: SharpTarget['device'], facts: Facts): Finding {
  if (device === 'cpu') return ok('sharp-device', 'It runs on the processor, as configured: minutes for a photo.')
  if (!('torch' in facts))
    return warning('sharp-device', 'Its Python could not be asked for a GPU.', 'Use --probe to run a photo there.')
  const { cuda, mps } = facts
  if (cuda && device !== 'mps') return ok('sharp-device', `It runs on ${cuda} (CUDA).`)
  if (mps && device !== 'cuda') return ok('sharp-device', 'It runs on MPS.')
  return problem(
    'sharp-device',
    `PyTorch finds no ${device === undefined ? 'CUDA or MPS' : device.toUpperCase()} device.`,
    'Mend the driver or the PyTorch build; or set `device: "cpu"` in the target, which takes minutes for a photo.',
  )
}

async function judgeWeights(checkpoint: string | undefined, { hub }: Facts): Promise<Finding> {
  const path = checkpoint ?? (hub ? join(hub, 'checkpoints', weightsName) : null)
  if (path === null)
    return warning(
      'sharp-weights',
      'Where its weights are cannot be told.',
      'Name their path as `checkpoint` in the target.',
    )
  const bytes = await stat(path).then(
    found => found.size,
    () => null,
  )
  if (bytes !== null) return ok('sharp-weights', `Its weights are ${path} (${(bytes / 1e9).toFixed(1)} GB).`)
  if (checkpoint !== undefined)
    return problem(
      'sharp-weights',
      `There are no weights at ${path}.`,
      `Fetch ${weightsName} as ml-sharp's README says.`,
    )
  return warning(
    'sharp-weights',
    `${path} is not there: the first run makes sharp download 2.8 GB, within the limit of a run.`,
    'Run `sharp predict` once by hand; or fetch the file and name its path as `checkpoint` in the target.',
  )
}

type Facts = { readonly [name in 'python' | 'sharp' | 'torch' | 'cuda' | 'mps' | 'hub']?: string }

function readFacts(text: string): Facts {
  return Object.fromEntries(
    text.split(/\r?\n/).flatMap(line => {
      const [, name, value] = /^(python|sharp|torch|cuda|mps|hub) ?(.*)$/.exec(line) ?? []
      return name === undefined ? [] : [[name, value ?? '']]
    }),
  )
}

function versionsIn({ sharp, python, torch }: Facts): string {
  const parts = [sharp && `version ${sharp}`, python && `Python ${python}`, torch && `PyTorch ${torch}`].filter(Boolean)
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

async function findCommand(command: string, environment: Environment): Promise<string | null> {
  const places = isAbsolute(command) ? [''] : (environment.PATH ?? environment.Path ?? '').split(delimiter)
  const endings = process.platform === 'win32' ? ['.exe', ''] : ['']
  for (const place of places)
    for (const ending of endings) {
      const path = join(place, `${command}${ending}`)
      const found = await stat(path).catch(() => null)
      if (found?.isFile()) return path
    }
  return null
}

/** The interpreter that a console script of pip names in its first line; null for anything else. */
async function pythonOf(path: string): Promise<string | null> {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0)
    return /^#!\s*(\S*python[\d.]*)\s*$/m.exec(buffer.toString('latin1', 0, bytesRead))?.[1] ?? null
  } finally {
    await file.close()
  }
}

async function execute(
  file: string,
  args: readonly string[],
  environment: Environment,
  signal: AbortSignal,
): Promise<{ readonly error: ExecFileException | null; readonly text: string }> {
  const { promise, resolve } = Promise.withResolvers<{ error: ExecFileException | null; text: string }>()
  execFile(
    file,
    [...args],
    { env: { ...environment }, signal, killSignal: 'SIGKILL', windowsHide: true },
    (error, out, errors) =>
      resolve({ error, text: `${out}${errors}${error !== null && out + errors === '' ? error.message : ''}` }),
  )
  return await promise
}

function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? ''
  return `${line.slice(0, 300).replace(/\.$/, '') || 'it says nothing'}.`
}
