import { statSync } from 'node:fs'
import { basename, relative, resolve } from 'node:path'
import { suggest } from '../config/refuse-config.ts'
import { refuse } from '../core/failure.ts'
import { type Command, onlyArgument, parseOptions, UsageError } from './command.ts'
import { formatTable } from './format.ts'
import { type Io, say } from './io.ts'
import { type KitModel, kitModels, kitWrappers, stepsOf, writeKit } from './kit-files.ts'

const usage = `Usage: surefoot kit PROVIDER [OPTIONS]
       surefoot kit

Writes a folder that can be pushed as it is: the worker's side of Surefoot, which says hello, reports progress, uploads its
output to a signed URL and fails in Surefoot's words, packed for a provider. Without PROVIDER: which there are.

  --model NAME         sharp (default), background, dummy, or your own: package.module:thing
  --module FILE        Your own model's Python file, copied beside the worker; --model then names what is in it
  -o, --output DIR     The folder; it must be empty or new (default surefoot-kit-PROVIDER)
`

const options = {
  model: { type: 'string', default: 'sharp' },
  module: { type: 'string' },
  output: { type: 'string', short: 'o' },
} as const

/** `surefoot kit`: a worker's folder for a provider, with the commands and config lines that put it live. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    if (positionals.length === 0) {
      io.stdout.write(formatTable(Object.entries(kitWrappers).map(([name, { what }]) => [name, what])))
      return 0
    }
    const provider = onlyArgument(positionals, 'PROVIDER')
    const wrapper = Object.hasOwn(kitWrappers, provider) ? kitWrappers[provider] : undefined
    if (wrapper === undefined)
      throw new UsageError(`There is no kit for "${provider}".${suggest(provider, Object.keys(kitWrappers))}`)
    const module = values.module === undefined ? null : findModule(io, values.module)
    const model = readModel(values.model, module)
    const target = resolve(io.cwd, values.output ?? `surefoot-kit-${provider}`)
    const readme = await writeKit(wrapper, model, target, module)
    explain(io, relative(io.cwd, target) || '.', model, stepsOf(readme, wrapper.section))
    return 0
  },
}

function findModule(io: Io, file: string): string {
  const path = resolve(io.cwd, file)
  if (!/^[A-Za-z_]\w*\.py$/.test(basename(path)))
    throw new UsageError(`--module takes a Python file that can be imported, such as my_model.py, not "${file}".`)
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true)
    refuse('input_invalid', `There is no file ${path}.`, { advice: "Name your model's Python file." })
  return path
}

function readModel(name: string, module: string | null): KitModel {
  const known = Object.hasOwn(kitModels, name) ? kitModels[name] : undefined
  if (known !== undefined && module === null) return known
  const [, place] = /^([A-Za-z_][\w.]*):[A-Za-z_]\w*$/.exec(name) ?? []
  if (place === undefined)
    throw new UsageError(
      module === null
        ? `There is no model "${name}": name one of ${Object.keys(kitModels).join(', ')}, or package.module:thing.`
        : `--module needs --model ${basename(module, '.py')}:THING, which names the function or class in it.`,
    )
  if (module !== null && place !== basename(module, '.py'))
    throw new UsageError(`--model names the module "${place}", and --module is ${basename(module)}.`)
  return { name, requirements: 'own', needsGpu: true }
}

const licence = `SHARP's weights are for research purposes only, without commercial use: the Apple Machine Learning Research Model License
Agreement, LICENSE_MODEL in https://github.com/apple/ml-sharp. The kit fetches them only where you have said that you accept it; its README
says where: SUREFOOT_SHARP_LICENSE=accepted (Baseten: by the lines "weights" in config.yaml). Never put them into a public image.
`

function explain(io: Io, folder: string, model: KitModel, { commands, config }: ReturnType<typeof stepsOf>): void {
  say(io.stdout, `${folder} holds a worker that runs ${model.name}.`)
  if (model.name === 'sharp') io.stdout.write(`\n${licence}`)
  say(io.stdout, '\nPut it live:\n')
  // The variable is SHARP's alone.
  const own = model.name === 'sharp' ? commands : commands.replace(/ (-e|--env) SUREFOOT_SHARP_LICENSE=\S+/g, '')
  io.stdout.write(indent(`cd ${folder}\n${own}`))
  say(io.stdout, '\nThen tell Surefoot, and see what is wrong with it by "surefoot doctor":\n')
  io.stdout.write(indent(config))
  if (model.requirements === 'own')
    say(io.stdout, `\nWrite what it needs into ${folder}/requirements.txt, and your model's name for "sharp" above.`)
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
