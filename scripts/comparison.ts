import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sharp } from '../src/models/sharp.ts'
import { type GpuClass, gpuClasses, type Vendor, vendors } from './vendors.ts'

/** The document that this makes. */
export const target: string = fileURLToPath(new URL('../docs/comparison.md', import.meta.url))

/** The class that the first table compares; a vendor without it is compared at its nearest one below. */
const compared: GpuClass = '24 GB'

const stated = sharp.stated ?? { run: Number.NaN, coldStart: Number.NaN, source: 'nobody', asOf: 'never' }

/** What one image costs on a worker that is busy all the time, and on one that wakes up for it and idles afterwards. */
export interface ImageCost {
  readonly busy: number
  readonly single: number
}

/** USD for one image at a vendor's list price. */
export function costOfImage(vendor: Vendor, perSecond: number): ImageCost {
  const { extra, idle, machineStart, granularity } = vendor
  const seconds = (machineStart?.seconds ?? 0) + stated.coldStart + stated.run + idle.seconds
  const price = perSecond + extra
  return { busy: price * stated.run, single: price * Math.ceil(seconds / granularity) * granularity }
}

/** `docs/comparison.md`, from the vendors' table and the model's stated seconds. */
export function renderComparison(): string {
  return `# Providers compared

<!-- Made by scripts/comparison.ts from the price tables. Change those, then run: npm run script -- scripts/comparison.ts -->

Where should one photo become a SHARP splat? This is what can be said before anything is measured: list prices times stated seconds, and
what the vendors' documents say. **Nothing on this page was measured at a vendor.** Your own gateway measures with every prediction;
\`surefoot compare photo.jpg --providers a,b\` does it on purpose, and \`GET /v1/providers\` and the Studio's page Compare show it. Times
there are those of attempts that won, and "up to" means the 95th percentile.

${table([['', 'reliability', 'set-up', 'cost per image', 'async support', 'recommendation'], ...vendors.map(rowOf)])}
Surefoot has an adapter for each of the six. Reliability is no data yet for all of them: nobody has run it there with a paid account, only against
emulators. The cell says what to expect by the documents.
Of the costs, the first is one image on a worker that is busy all the time, the second one image that wakes a worker up, which
idles after it until the vendor's default lets it go.

## Costs

A run is taken to last ${stated.run} s after a cold start of ${stated.coldStart} s (${stated.source}; ${stated.asOf}). The same seconds are used for every GPU: a T4 is
slower than that, an H100 faster. Of each vendor the first price is per second, then one image when busy, then a single one, in USD.

${table([['', ...gpuClasses], ...vendors.map(costRowOf)])}
Idling makes the difference: ${cheapest('single').name} is the cheapest for a single image and ${dearest('single').name} the dearest, ${ratioOf('single')} times as much, while
for a busy worker they lie within ${ratioOf('busy')} times of each other. A worker that is kept warm costs its price around the clock, used or not:
at ${dollars(priceOf(cheapest('busy')) ?? Number.NaN)} USD a second that is ${dollars((priceOf(cheapest('busy')) ?? Number.NaN) * 86_400)} USD a day.

## Sources and assumptions

${vendors.map(sourceOf).join('\n')}

Prices leave out storage, traffic, taxes, and plans or credits that change them.
`
}

function rowOf(vendor: Vendor): string[] {
  const found = skuOf(vendor)
  const cost = found === null ? null : costOfImage(vendor, found[1])
  return [
    `**${vendor.name}**`,
    `No data yet. ${vendor.reliability}`,
    vendor.setUp,
    cost === null || found === null
      ? 'No price known.'
      : `${dollars(cost.busy)} USD busy, ${dollars(cost.single)} USD single (${found[0]}, list of ${vendor.pricesAsOf})`,
    vendor.async,
    `By price the ${rankOf(vendor, 'single')} for single images and the ${rankOf(vendor, 'busy')} when busy. Consider it ${vendor.advice}`,
  ]
}

function costRowOf(vendor: Vendor): string[] {
  const cells = gpuClasses.map(gpu => {
    const found = vendor.prices[gpu]
    if (found === undefined) return 'none listed'
    const { busy, single } = costOfImage(vendor, found[1])
    return `${found[0]}: ${dollars(found[1] + vendor.extra)}; ${dollars(busy)}; ${dollars(single)}`
  })
  return [vendor.name, ...cells]
}

function sourceOf({ name, pricesAsOf, pricesFrom, idle, machineStart, granularity }: Vendor): string {
  const parts = [
    `prices of ${pricesAsOf}: ${pricesFrom}`,
    `idles ${idle.seconds} s (${idle.from})`,
    ...(machineStart === undefined ? [] : [`starts ${machineStart.seconds} s later (${machineStart.from})`]),
    ...(granularity === 1 ? [] : [`billed in steps of ${granularity} s`]),
  ]
  return `- **${name}**: ${parts.join('; ')}.`
}

function skuOf({ prices }: Vendor): readonly [string, number] | null {
  return prices[compared] ?? prices['16 GB'] ?? null
}

function priceOf(vendor: Vendor): number | null {
  const found = skuOf(vendor)
  return found === null ? null : found[1] + vendor.extra
}

function amountOf(vendor: Vendor, kind: keyof ImageCost): number {
  return costOfImage(vendor, skuOf(vendor)?.[1] ?? Number.NaN)[kind]
}

function ranked(kind: keyof ImageCost): readonly Vendor[] {
  return vendors.toSorted((a, b) => amountOf(a, kind) - amountOf(b, kind))
}

function cheapest(kind: keyof ImageCost): Vendor {
  return ranked(kind)[0] as Vendor
}

function dearest(kind: keyof ImageCost): Vendor {
  return ranked(kind).at(-1) as Vendor
}

function ratioOf(kind: keyof ImageCost): string {
  return (amountOf(dearest(kind), kind) / amountOf(cheapest(kind), kind)).toFixed(1)
}

function rankOf(vendor: Vendor, kind: keyof ImageCost): string {
  const rank = ranked(kind).indexOf(vendor) + 1
  return `${ordinals[rank] ?? `${rank}th`} of ${vendors.length}`
}

const ordinals: { readonly [rank: number]: string } = { 1: '1st', 2: '2nd', 3: '3rd' }

function dollars(amount: number): string {
  return String(Number(amount.toPrecision(3)))
}

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows
  return [head, head.map(() => '---'), ...body].map(row => `| ${row.join(' | ')} |\n`).join('')
}

if (import.meta.main) writeFileSync(target, renderComparison())
