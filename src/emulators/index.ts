export { createRandom } from '../testing/random.ts'
export { type AwsEmulatorOptions, createAwsEmulator } from './aws/index.ts'
export { type BasetenEmulatorOptions, createBasetenEmulator } from './baseten/index.ts'
export { type CatalogueEntry, type FaultName, faultCatalogue, faultNames, faultsAt } from './catalogue.ts'
export { type CogEmulatorOptions, createCogEmulator } from './cog/index.ts'
export {
  asFetch,
  type Emulator,
  type EmulatorState,
  type LedgerEntry,
  type Report,
  type Work,
  type WorkOutput,
  type WorkTask,
} from './contract.ts'
export { type ActiveFaults, createDice, type FaultPlan, type FaultRule, parseFault, parseFaultPlan } from './faults.ts'
export { createKoyebEmulator, type KoyebEmulatorOptions } from './koyeb/index.ts'
export {
  createModalEmulator,
  type GrpcMiddleware,
  grpcOverFetch,
  type ModalEmulatorOptions,
} from './modal/index.ts'
export { createReliefWork, type ReliefWorkOptions } from './relief-work.ts'
export { createReplicateEmulator, type ReplicateEmulator, type ReplicateEmulatorOptions } from './replicate/index.ts'
export { createRunpodEmulator, type RunpodEmulatorOptions } from './runpod/index.ts'
export { type ServedEmulator, serveEmulator } from './serve.ts'
export type { Settings } from './settings.ts'
export { createEchoWork, createFixedWork, type EchoOptions } from './works.ts'
