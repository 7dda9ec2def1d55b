import { createFailure, type Failure } from '../../core/failure.ts'

/** A stage of `sharp predict`, and the share of the whole work that is done when it begins. */
export interface SharpStage {
  readonly stage: string
  readonly fraction: number
}

/**
 * What `sharp predict` logs when a stage begins, in its order; source: apple/ml-sharp, `src/sharp/cli/predict.py`. The
 * shares are guesses that keep the order; none reaches the last tenth, for which policy has a limit of its own.
 */
const stages: readonly (readonly [line: RegExp, stage: string, fraction: number])[] = [
  [/\| Processing \d+ valid image/, 'start', 0.05],
  [/\| No checkpoint provided\. Downloading/, 'load', 0.1],
  [/\| Loading checkpoint from/, 'load', 0.1],
  [/\| Processing \S/, 'load', 0.35],
  [/\| Running preprocessing/, 'infer', 0.4],
  [/\| Running inference/, 'infer', 0.4],
  [/\| Running postprocessing/, 'splat', 0.75],
  [/\| Saving 3DGS/, 'write', 0.85],
]

const download = { from: 0.1, to: 0.3 }

/** The stage that a line of the log begins; null for all other lines. A download's bar is the stage `download`. */
export function stageOf(line: string): SharpStage | null {
  const percent = /^\s*(\d{1,3})%\|/.exec(line)?.[1]
  if (percent !== undefined)
    return { stage: 'download', fraction: download.from + (download.to - download.from) * (Number(percent) / 100) }
  const found = stages.find(([begins]) => begins.test(line))
  return found === undefined ? null : { stage: found[1], fraction: found[2] }
}

/** The device that `sharp` has chosen, from the line in which it says so. */
export function deviceOf(line: string): string | null {
  return /\| Using device (\w+)/.exec(line)?.[1] ?? null
}

type Reading = readonly [words: RegExp, code: Failure['code'], what: string, advice?: string]

const weightsAdvice =
  "Accept Apple's licence for the weights (research only), fetch sharp_2572gikvuh.pt once by running sharp predict by hand or as its README says, and name its absolute path as `checkpoint` in the deployment's target."
const installAdvice = 'Run `sharp predict --help` in that environment: it must work before Surefoot can use it.'

/**
 * What PyTorch, Pillow and click say, most telling first. Sources: pytorch/pytorch (`c10/cuda/CUDAMallocAsyncAllocator`,
 * `torch/cuda/__init__.py`, `aten/src/ATen/mps`, `c10/core/impl/alloc_cpu.cpp`), pillow's `UnidentifiedImageError`,
 * click's usage errors, CPython's exceptions.
 */
const readings: readonly Reading[] = [
  [/CUDA out of memory|OutOfMemoryError/, 'out_of_memory', "The GPU's memory is too small for SHARP"],
  [/MPS backend out of memory/, 'out_of_memory', "The Mac's memory is too small for SHARP"],
  [/can't allocate memory|^MemoryError/m, 'out_of_memory', "This machine's memory is too small for SHARP"],
  [
    /No CUDA GPUs are available|Found no NVIDIA driver|not compiled with CUDA|CUDA driver version is insufficient|no kernel image is available|Invalid device string/,
    'no_gpu',
    'sharp found no CUDA device that it can use',
    'Mend the driver or the PyTorch build; or name another `device` in the deployment\'s target ("cpu" takes minutes).',
  ],
  [
    /not linked with support for mps|MPS backend is supported on|mps.*not available/i,
    'no_gpu',
    'sharp found no MPS device',
    'It takes a Mac with Apple silicon; or name another `device` in the deployment\'s target ("cpu" takes minutes).',
  ],
  [/No space left on device/, 'storage_full', 'The disk is full'],
  [/UnidentifiedImageError|image file is truncated/, 'input_invalid', 'sharp cannot read the photo'],
  [
    /urllib\.error\.|urlopen error|RemoteDisconnected|ConnectionResetError/,
    'deployment_missing',
    "sharp could not download SHARP's weights",
    weightsAdvice,
  ],
  [
    /FileNotFoundError.*\.pth?\b|PytorchStreamReader|UnpicklingError|invalid hash value|Error\(s\) in loading state_dict/s,
    'deployment_missing',
    "SHARP's weights are missing or damaged",
    weightsAdvice,
  ],
  [/ModuleNotFoundError|ImportError/, 'deployment_missing', 'The installation of sharp is not whole', installAdvice],
  [
    /^Usage: /m,
    'deployment_missing',
    "The command is not Apple's sharp, or another version of it",
    `The npm package sharp-cli has a command of that name too. ${installAdvice}`,
  ],
]

/** How the process ended. */
export interface SharpExit {
  readonly code: number | null
  readonly signal: string | null
}

/**
 * Why `sharp predict` failed, by the end of its log and by its exit; `tail` is the last few thousand characters. For a
 * run that says it went well but left no output too: it exits with 0 where it took no picture.
 */
export function failureOf(exit: SharpExit, tail: string): Failure {
  const said = tail.slice(Math.max(0, tail.lastIndexOf('Traceback (most recent call last)')))
  const words = exceptionIn(said)
  if (exit.code === 0) {
    if (tail.includes('No valid images found'))
      return createFailure('input_invalid', 'sharp does not take this picture: no valid images found.')
    return createFailure('output_lost', 'sharp ended without an error and without an output.')
  }
  const found = readings.find(([pattern]) => pattern.test(said))
  if (found !== undefined) {
    const [, code, what, advice] = found
    return createFailure(code, `${what}: ${words}`, advice === undefined ? {} : { advice })
  }
  if (exit.signal !== null)
    return createFailure('worker_lost', `sharp was ended from outside by ${exit.signal}.`, {
      advice:
        'If it happens again the system most likely ran out of memory: SHARP takes about 7 GB on the processor, and 8 to 10 GB of a GPU.',
    })
  return createFailure('model_error', `sharp failed (exit code ${exit.code}): ${words}`)
}

/** The exception that a traceback ends with; without one, the last line that was said. */
function exceptionIn(text: string): string {
  const lines = text.split('\n').filter(line => line.trim() !== '')
  const exception = lines.findLast(line => /^[A-Za-z_][\w.]*(Error|Exception|Interrupt|Exit)\b/.test(line))
  return (exception ?? lines.at(-1) ?? 'it said nothing').trim().slice(0, 500)
}
