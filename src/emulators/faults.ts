import { z } from 'zod'
import type { Random } from '../core/clock.ts'
import { refuse } from '../core/failure.ts'
import { type CatalogueEntry, type FaultName, faultCatalogue, faultNames, fraction } from './catalogue.ts'

/** One fault of a plan: which, when, how often. */
export interface FaultRule {
  readonly name: FaultName
  /** Null: the catalogue's default. */
  readonly parameter: string | null
  /** 0 to 1, decided once per run. */
  readonly probability: number
  /** Leaves this many runs alone first. */
  readonly after: number
  /** Hits at most this many runs; null: no limit. */
  readonly times: number | null
  /** Told of each run that it hits. */
  readonly hit?: () => void
}

/** The faults of one run, decided when it was created. */
export interface ActiveFaults {
  has(name: FaultName): boolean
  /** The parameter as text; '' for a fault that takes none. */
  text(name: FaultName): string
  /** The parameter as a number. */
  number(name: FaultName): number
}

const ruleSchema = z
  .strictObject({
    name: z.enum(faultNames as [FaultName, ...FaultName[]]),
    parameter: z.union([z.string(), z.number()]).transform(String).nullable().default(null),
    probability: z.number().min(0).max(1).default(1),
    after: z.int().min(0).default(0),
    times: z.int().min(1).nullable().default(null),
  })
  .transform(checkParameter)

const planSchema = z.strictObject({
  /** Replays a run exactly, together with the same requests. */
  seed: z.int().default(1),
  faults: z.array(z.union([z.string().transform(parseFault), ruleSchema])).default([]),
})

/** A fault plan: the content of a JSON file, or what the flags said. */
export interface FaultPlan {
  readonly seed: number
  readonly faults: readonly FaultRule[]
}

/**
 * Reads a fault plan such as `{ "seed": 7, "faults": ["stall@0.9:20%", { "name": "status-503", "times": 3 }] }`.
 * Fails with `input_invalid`.
 */
export function parseFaultPlan(plan: unknown): FaultPlan {
  const result = planSchema.safeParse(plan)
  if (!result.success) return refuse('input_invalid', `Fault plan: ${z.prettifyError(result.error)}`)
  return result.data
}

const flag = /^(?<name>[a-z0-9-]+?)(?:@(?<parameter>[\w.-]+?))?(?::(?<percent>\d+(?:\.\d+)?)%)?(?:\*(?<times>\d+))?$/

/**
 * Reads `name[@parameter][:percent%][*times]`: `stall@0.9:20%` stalls every fifth run at 90 %, `create-502*1` loses one
 * answer. Fails with `input_invalid`, naming what there is.
 */
export function parseFault(text: string): FaultRule {
  const groups = flag.exec(text)?.groups
  if (groups === undefined)
    return refuse(
      'input_invalid',
      `"${text}" is no fault. Write name[@parameter][:percent%][*times], e.g. stall@0.9:20%.`,
    )
  const { name = '', parameter, percent, times } = groups
  if (!isFaultName(name))
    return refuse('input_invalid', `There is no fault "${name}". There are: ${faultNames.join(', ')}.`)
  return checkParameter({
    name,
    parameter: parameter ?? null,
    probability: percent === undefined ? 1 : Math.min(1, Number(percent) / 100),
    after: 0,
    times: times === undefined ? null : Number(times),
  })
}

function checkParameter(rule: FaultRule): FaultRule {
  const { name, parameter } = rule
  if (parameter === null) return rule
  const [means] = entryOf(name).parameter ?? []
  if (means === undefined) return refuse('input_invalid', `The fault "${name}" takes no parameter.`)
  const share = Number(parameter)
  if (means === fraction && !(share >= 0 && share <= 1))
    return refuse('input_invalid', `The fault "${name}" takes a fraction from 0 to 1, not "${parameter}".`)
  return rule
}

/** Decides for one run after another which faults hit it. The same random sequence decides the same. */
export function createDice(rules: readonly (FaultRule | string)[], random: Random): () => ActiveFaults {
  const all = rules.map(rule => ({ rule: typeof rule === 'string' ? parseFault(rule) : rule, seen: 0, hits: 0 }))
  return () => {
    const active = new Map<FaultName, string>()
    for (const entry of all) {
      const { name, parameter, probability, after, times } = entry.rule
      // Always rolled, so that one rule's limits never shift the dice of the next.
      const hit = random() < probability
      const open = entry.seen >= after && (times === null || entry.hits < times)
      entry.seen += 1
      if (!hit || !open || active.has(name)) continue
      entry.hits += 1
      entry.rule.hit?.()
      active.set(name, parameter ?? entryOf(name).parameter?.[1] ?? '')
    }
    return {
      has: name => active.has(name),
      text: name => active.get(name) ?? '',
      number: name => Number(active.get(name) ?? Number.NaN),
    }
  }
}

function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(faultCatalogue, name)
}

function entryOf(name: FaultName): CatalogueEntry {
  return faultCatalogue[name]
}
