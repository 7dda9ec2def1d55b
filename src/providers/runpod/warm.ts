import type { Warming } from '../contract.ts'
import type { WireHealth } from './wire.ts'

/**
 * Whether a worker is up. Of the endpoint's workers only those that run surely are: RunPod also calls idle what it has put to
 * sleep, so that these prove nothing. A job is the only thing that wakes one: minimum (active) workers are a setting that is not
 * ours to change. Source: `GET /health`, and docs.runpod.io on workers.
 */
export function judgeWorkers({ workers }: WireHealth): Warming {
  const count = (state: string) => {
    const value = workers[state]
    return typeof value === 'number' ? value : 0
  }
  const [running, starting, idle] = [count('running'), count('initializing'), count('idle')]
  if (running > 0) return { state: 'ready', message: `RunPod: a worker is up (running: ${running}).` }
  const told = `running: 0, initializing: ${starting}, idle: ${idle}`
  return { state: 'cold', message: `RunPod: no worker is known to be up, and only a job wakes one (${told}).` }
}
