import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from './client.ts'

/** How long a run that was cancelled may take to confirm it, and its cost to be told. */
const settleMs = 5_000

/** Lets a provider confirm the end while there is somebody to hear it; gives up after five seconds. */
export async function settle(client: Client, id: string): Promise<void> {
  const until = performance.now() + settleMs
  while (!(await client.get(id)).surefoot.settled && performance.now() < until) await pause(50)
}
