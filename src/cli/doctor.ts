import { randomUUID } from 'node:crypto'
import { suggest } from '../config/refuse-config.ts'
import { refuse, SurefootError } from '../core/failure.ts'
import type { Placed } from '../doctor/examine.ts'
import { about, problem, type Reported } from '../doctor/finding.ts'
import { type Command, parseOptions } from './command.ts'
import { formatTable } from './format.ts'
import { type Interrupts, watchInterrupts } from './interrupts.ts'
import { type Io, say } from './io.ts'
import { loadSettings, placeOptions, placeUsage } from './settings.ts'

const usage = `Usage: surefoot doctor [PROVIDER ...] [OPTIONS]

Looks at the config, the data folder, the clock, the public URL and every deployment, without starting or spending
anything, and says what is wrong and what to do next. PROVIDER is a provider or a deployment (default: all).

  --probe              Also run a bundled photo on each deployment; says what that costs at most and asks first
  --yes                Spend money without asking
  --json               As JSON
${placeUsage}
Exit code 1 where there is a problem.
`

const options = {
  ...placeOptions,
  probe: { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const

type Values = ReturnType<typeof parseOptions<typeof options>>['values']

/** `surefoot doctor`: what is wrong before anybody waits for it. */
export const command: Command = {
  usage,
  async run(args, io) {
    const { values, positionals } = parseOptions(args, options)
    const interrupts = watchInterrupts(io)
    try {
      return await Promise.race([diagnose(io, values, positionals, interrupts), interrupts.second])
    } finally {
      interrupts.stop()
    }
  },
}

async function diagnose(io: Io, values: Values, names: readonly string[], { first }: Interrupts): Promise<number> {
  const config = await loadSettings(io, values).catch((error: unknown) => {
    if (SurefootError.is(error)) return error.failure
    throw error
  })
  if ('code' in config) {
    const findings = about('config', [problem('config', config.message, config.advice)])
    show(io, findings, values)
    return conclude(io, findings, values)
  }

  const { examine, placesOf } = await import('../doctor/examine.ts')
  const places = choose(placesOf(config), names)
  const marker = `doctor-${randomUUID()}`
  const examined = await examine(config, {
    ...{ places, fetch: globalThis.fetch, now: Date.now, marker },
    mayWrite: values.probe,
  })
  const findings = values.probe ? examined.map(withoutProbeAdvice) : examined
  show(io, findings, values)
  if (values.probe) {
    const { probe } = await import('./probe.ts')
    const probed = await probe(io, config, { places, yes: values.yes, interrupted: first })
    show(io, probed, values)
    findings.push(...probed)
  }
  const code = conclude(io, findings, values)
  return first.aborted ? 130 : code
}

function choose(places: readonly Placed[], names: readonly string[]): readonly Placed[] {
  if (names.length === 0) return places
  const known = places.flatMap(({ deployment }) => [deployment.providerName, deployment.name])
  for (const name of names)
    if (!known.includes(name))
      refuse('deployment_missing', `No model is configured at "${name}".${suggest(name, known)}`, {
        advice: 'Name a provider or a deployment of the config.',
      })
  return places.filter(({ deployment: { providerName, name } }) => names.includes(providerName) || names.includes(name))
}

/** Whoever probes need not be told to. */
function withoutProbeAdvice(finding: Reported): Reported {
  const advice = finding.advice?.replace(/^Use --probe\b.*|, or use --probe(?=\.)/, '') ?? ''
  return { ...finding, advice: advice === '' ? null : advice }
}

/** As a table, as soon as they are known. */
function show(io: Io, findings: readonly Reported[], { json }: Values): void {
  const row = ({ level, about, message, advice }: Reported) => [
    level.padEnd('problem'.length),
    about,
    advice === null ? message : `${message} ${advice}`,
  ]
  if (!json) io.stdout.write(formatTable(findings.map(row)))
}

/** Counts them, or gives all of them as JSON; answers the exit code. */
function conclude(io: Io, findings: readonly Reported[], { json }: Values): number {
  const count = (level: Reported['level']) => findings.filter(finding => finding.level === level).length
  const [problems, warnings] = [count('problem'), count('warning')]
  const text = json
    ? JSON.stringify({ problems, warnings, findings })
    : `\n${plural(problems, 'problem')}, ${plural(warnings, 'warning')}.`
  say(io.stdout, text)
  return problems === 0 ? 0 : 1
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
