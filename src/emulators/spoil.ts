import type { WorkOutput } from './contract.ts'
import { corrupt } from './corrupt.ts'
import type { ActiveFaults } from './faults.ts'

/** The outputs as the faults of their run leave them. `isServed`: a download will apply `output-short` itself. */
export function spoil(faults: ActiveFaults, outputs: readonly WorkOutput[], isServed: boolean): Promise<WorkOutput[]> {
  return Promise.all(
    outputs.map(async output => {
      const body = faults.has('output-corrupt')
        ? await corrupt(output.body, faults.text('output-corrupt'))
        : output.body
      const isShort = faults.has('output-short') && !isServed
      return { ...output, body: isShort ? body.slice(0, Math.floor(body.size * faults.number('output-short'))) : body }
    }),
  )
}

/** An output inside JSON. */
export async function toDataUri({ body, mediaType }: WorkOutput): Promise<string> {
  return `data:${mediaType};base64,${Buffer.from(await body.arrayBuffer()).toString('base64')}`
}
