/**
 * For tests of what others write for Surefoot: contract suites for providers, stores and file stores, emulators of
 * providers' APIs with faults on demand, and time and dice that a test holds in its hand. Needs vitest.
 *
 * @example
 * import { createSimulatedClock, describeProvider } from 'surefoot/testing'
 */
export * from '../emulators/index.ts'
export { createSimulatedClock, type SimulatedClock, settle } from './clock.ts'
export { describeFiles, type OpenedFiles } from './describe-files.ts'
export {
  type Cell,
  type Cells,
  describeProvider,
  type ProviderSuite,
  type ProviderUnderTest,
} from './describe-provider.ts'
export { describeStore } from './describe-store.ts'
export type { OpenedStore } from './opened-store.ts'
export { createSeededIds } from './random.ts'
export {
  createScriptedProvider,
  isRunning,
  plainScript,
  type Script,
  type ScriptedOptions,
  type ScriptedProvider,
  type ScriptedRun,
} from './scripted-provider.ts'
