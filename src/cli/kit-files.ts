import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { refuse } from '../core/failure.ts'
import { kitsFolder } from './assets.ts'

/** How a provider's kit is made of the folders under `kits/`. */
export interface KitWrapper {
  readonly what: string
  /** Laid over each other, the last one's README stays. */
  readonly folders: readonly [string, ...string[]]
  /** Where the worker's package goes, so that the wrapper can import it. */
  readonly packageIn: string
  /** Which pair of commands and config of that README is this provider's. */
  readonly section: number
}

/** By provider. */
export const kitWrappers: { readonly [provider: string]: KitWrapper } = {
  replicate: { what: 'a private model, as a Cog image', folders: ['cog'], packageIn: '.', section: 1 },
  runpod: { what: 'a worker for a queue-based endpoint', folders: ['runpod'], packageIn: '.', section: 0 },
  modal: { what: 'an app with a function and a web endpoint', folders: ['modal'], packageIn: '.', section: 0 },
  baseten: { what: 'a Truss', folders: ['baseten'], packageIn: 'packages', section: 0 },
  cog: { what: 'a Cog image, for any machine with a GPU', folders: ['cog'], packageIn: '.', section: 0 },
  koyeb: { what: 'the Cog image and its service', folders: ['cog', 'koyeb'], packageIn: '.', section: 0 },
  ecs: { what: 'an image for tasks on GPU instances, and their stack', folders: ['aws'], packageIn: '.', section: 0 },
  sagemaker: {
    what: 'an image for an asynchronous endpoint, and its stack',
    folders: ['aws'],
    packageIn: '.',
    section: 1,
  },
  lambda: {
    what: 'an image for a function without a GPU, and its stack',
    folders: ['aws'],
    packageIn: '.',
    section: 2,
  },
}

/** What a kit runs. */
export interface KitModel {
  /** Value of `SUREFOOT_KIT_MODEL`. */
  readonly name: string
  /** File under `kits/requirements`, without its ending. */
  readonly requirements: string
  readonly needsGpu: boolean
}

/** The models that the worker's package brings. */
export const kitModels: { readonly [name: string]: KitModel } = {
  sharp: { name: 'sharp', requirements: 'sharp', needsGpu: true },
  background: { name: 'background', requirements: 'background', needsGpu: false },
  dummy: { name: 'dummy', requirements: 'dummy', needsGpu: false },
}

/** Written while it runs, or by tools that run it: never part of a kit. */
const leftovers = /^(__pycache__|\..*_cache|.*\.egg-info|build)$/

/**
 * Writes a kit into `target`, an absolute path: the wrapper, the worker's package, `requirements.txt`, and `module`, a Python file of the
 * caller's own. Answers the README. Fails with `input_invalid` where the folder holds anything already, or the
 * module has a name that the kit needs.
 */
export async function writeKit(
  { folders, packageIn }: KitWrapper,
  model: KitModel,
  target: string,
  module: string | null,
): Promise<string> {
  const found = await readdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    return refuse('input_invalid', `${target} cannot be written: ${error.code ?? error.message}.`, {
      advice: 'Name another folder with -o.',
    })
  })
  if (found.length > 0)
    refuse('input_invalid', `The folder ${target} is not empty, and nothing of it is overwritten.`, {
      advice: 'Name another folder with -o, or empty this one.',
    })
  if (module !== null) await checkModule(folders, basename(module))
  const copy = (from: string, to: string) =>
    cp(from, to, { recursive: true, filter: path => !leftovers.test(basename(path)) })
  await mkdir(target, { recursive: true })
  for (const folder of folders) await copy(join(kitsFolder, folder), target)
  await copy(join(kitsFolder, 'core/surefoot_kit'), join(target, packageIn, 'surefoot_kit'))
  await copy(join(kitsFolder, 'requirements', `${model.requirements}.txt`), join(target, 'requirements.txt'))
  if (module !== null) await copy(module, join(target, packageIn, basename(module)))
  for (const file of await readdir(target, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name)
    // The package is the worker's own; settings are the wrapper's.
    if (!file.isFile() || path.includes('surefoot_kit') || file.name === basename(module ?? '')) continue
    const text = await readFile(path, 'utf8')
    const settled = file.name === 'README.md' ? withoutLinks(text) : settle(text, model)
    if (settled !== text) await writeFile(path, settled)
  }
  return await readFile(join(target, 'README.md'), 'utf8')
}

/** The worker imports by name: a module with the name of one of its own would take that one's place. */
async function checkModule(folders: KitWrapper['folders'], name: string): Promise<void> {
  const own = await Promise.all(folders.map(folder => readdir(join(kitsFolder, folder), { recursive: true })))
  if (!['surefoot_kit.py', ...own.flat().map(path => basename(path))].includes(name)) return
  refuse('input_invalid', `${name} is the name of a file of the kit itself, and would take its place.`, {
    advice: 'Give your model another file name, and name that with --module and --model.',
  })
}

/** A wrapper's file for another model than SHARP: its name, without the lines that are marked as SHARP's or a GPU's. */
function settle(text: string, { name, needsGpu }: KitModel): string {
  const isDropped = (line: string) =>
    (!needsGpu && line.endsWith('# GPU')) || (name !== 'sharp' && line.endsWith('# SHARP'))
  return text
    .split('\n')
    .filter(line => !isDropped(line))
    .map(line =>
      line.replace(/(SUREFOOT_KIT_MODEL\W+(?:value\W+)?)sharp\b/, `$1${name}`).replace(/ {2}# (GPU|SHARP)$/, ''),
    )
    .join('\n')
}

/** Links to the neighbours of `kits/` lead nowhere in the written folder. */
function withoutLinks(markdown: string): string {
  return markdown.replace(/\[([^\]]+)\]\(\.\.?\/[^)]*\)/g, '$1')
}

/** The commands and the config of a README's section: its fenced blocks `sh` and `ts`. */
export function stepsOf(readme: string, section: number): { readonly commands: string; readonly config: string } {
  const blocks = (language: string) =>
    [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text)
  return { commands: blocks('sh')[section] ?? '', config: blocks('ts')[section] ?? '' }
}
