import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sharpProperties, writeSharpPly } from '../../splat/sharp-layout.ts'

/**
 * A stand-in for Apple's `sharp`, run as a program by tests. It has no network and makes no scene. What it takes, logs and
 * leaves behind follows apple/ml-sharp at 1eaa0468: `src/sharp/cli/predict.py` (options, log lines, their order, exit 0
 * without a picture), `utils/logging.py` (form of a line), `utils/gaussians.py` (`save_ply`); its errors are the words of
 * PyTorch, Python and click. First argument: a JSON file that says what happens.
 */
export interface Plan {
  readonly ends:
    | 'well'
    | 'infinite'
    | 'oom'
    | 'no-cuda'
    | 'no-weights'
    | 'no-network'
    | 'traceback'
    | 'killed'
    | 'nothing'
    | 'no-picture'
    | 'usage'
    | 'waits'
    | 'works'
    | 'downloads'
  /** The device that it finds by itself. */
  readonly finds?: 'cuda' | 'mps' | 'cpu'
  /** Lines that it says on top. */
  readonly flood?: number
  /** File in which it leaves its process id and what it was given. */
  readonly note: string
}

const [planPath = '', command, ...rest] = process.argv.slice(2)
const plan: Plan = JSON.parse(readFileSync(planPath, 'utf8'))

const tracebacks: { readonly [ends in Plan['ends']]?: string } = {
  oom: 'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB. GPU 0 has a total capacity of 7.79 GiB of which 1.02 GiB is free.',
  'no-cuda': 'RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU.',
  'no-weights': "FileNotFoundError: [Errno 2] No such file or directory: '/weights/sharp.pt'",
  'no-network': 'urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>',
  traceback: 'ValueError: not enough values to unpack (expected 3, got 2)',
}

function log(words: string): void {
  process.stdout.write(`2026-11-24 10:00:00,000 | INFO | ${words}\n`)
}

function usage(words: string): never {
  process.stderr.write(`Usage: sharp predict [OPTIONS]\nTry 'sharp predict --help' for help.\n\nError: ${words}\n`)
  process.exit(2)
}

function fail(error: string): never {
  process.stderr.write(
    `Traceback (most recent call last):\n  File "/venv/lib/python3.13/site-packages/sharp/cli/predict.py", line 150, in predict_cli\n    gaussian_predictor.to(device)\n${error}\n`,
  )
  process.exit(1)
}

async function predict(): Promise<void> {
  if (rest.includes('--help'))
    return void process.stdout.write('Usage: sharp predict [OPTIONS]\n\n  -c, --checkpoint-path FILE\n')
  const { values } = parseArgs({
    args: rest,
    options: {
      'input-path': { type: 'string', short: 'i' },
      'output-path': { type: 'string', short: 'o' },
      'checkpoint-path': { type: 'string', short: 'c' },
      device: { type: 'string', default: 'default' },
    },
  })
  const input = values['input-path'] ?? usage("Missing option '-i' / '--input-path'.")
  const output = values['output-path'] ?? usage("Missing option '-o' / '--output-path'.")
  writeFileSync(plan.note, JSON.stringify({ pid: process.pid, args: rest, env: Object.keys(process.env).sort() }))
  if (plan.ends === 'usage') usage('No such option: --device')
  if (plan.ends === 'no-picture') return log(`No valid images found. Input was ${input}.`)
  log('Processing 1 valid image files.')
  log(`Using device ${values.device === 'default' ? (plan.finds ?? 'cuda') : values.device}`)
  const checkpoint = values['checkpoint-path']
  if (checkpoint === undefined) {
    log(
      'No checkpoint provided. Downloading default model from https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt',
    )
    // As torch.hub shows it, half way.
    if (plan.ends === 'downloads') {
      process.stderr.write('\r  0%|      | 0.00/2.62G\r 50%|###   | 1.31G/2.62G\r')
      return void setInterval(() => {}, 3_600_000)
    }
  } else log(`Loading checkpoint from ${checkpoint}`)
  const error = tracebacks[plan.ends]
  if (error !== undefined) fail(error)
  log(`Processing ${input}`)
  log('Running preprocessing.')
  log('Running inference.')
  for (let line = 0; line < (plan.flood ?? 0); line++)
    if (!process.stderr.write(`UserWarning: ${line} ${'x'.repeat(2_000)}\n`))
      await new Promise(resolve => process.stderr.once('drain', resolve))
  if (plan.ends === 'killed') process.kill(process.pid, 'SIGKILL')
  if (plan.ends === 'waits') return void setInterval(() => {}, 3_600_000)
  if (plan.ends === 'works') for (;;);
  log('Running postprocessing.')
  log(`Saving 3DGS to ${output}`)
  if (plan.ends === 'nothing') return
  mkdirSync(output, { recursive: true })
  writeFileSync(join(output, 'photo.ply'), Buffer.concat([...writeSharpPly(scene(plan.ends === 'infinite'))]))
}

/** Four Gaussians in a square, two metres away. */
function scene(infinite: boolean) {
  const one = (x: number, y: number) => [
    x,
    y,
    2,
    0,
    0,
    0,
    infinite ? Infinity : 3,
    -4,
    infinite ? -Infinity : -4,
    -4,
    1,
    0,
    0,
    0,
  ]
  const vertices = Float32Array.from([one(-1, -1), one(1, -1), one(-1, 1), one(1, 1)].flat())
  if (vertices.length !== 4 * sharpProperties.length) throw new Error('not the layout')
  return { vertices, image: { width: 64, height: 48 }, focalPx: 55.5, disparityQuantiles: [0.5, 0.5] as const }
}

if (command !== 'predict') usage(`No such command '${command}'.`)
await predict()
