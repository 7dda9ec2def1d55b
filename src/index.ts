/** Surefoot's public face: everything an app or a config file imports. */
export {
  type Config,
  type DeploymentConfig,
  defineConfig,
  type KeepWarmConfig,
  type MigrationConfig,
  type ModelConfig,
  type ProviderContext,
} from './config/config.ts'
export { type Failure, type FailureCode, failureCodes, SurefootError } from './core/failure.ts'
export type { Policy } from './core/policy.ts'
export type { Cost, PredictionStatus, Progress } from './core/prediction.ts'
export type { AttemptsJson, FailureJson, OutputJson, PredictionJson, SurefootJson } from './http/shapes.ts'
export { createImageInput, defineModel, type ModelDefinition } from './models/index.ts'
export { ecs } from './providers/aws/ecs/index.ts'
export { lambda } from './providers/aws/lambda/index.ts'
export { sagemaker } from './providers/aws/sagemaker/index.ts'
export { baseten } from './providers/baseten/index.ts'
export { cog } from './providers/cog/index.ts'
export type { Provider } from './providers/contract.ts'
export { koyeb } from './providers/koyeb/index.ts'
export { local } from './providers/local/index.ts'
export { modal } from './providers/modal/index.ts'
export { replicate } from './providers/replicate/index.ts'
export { runpod } from './providers/runpod/index.ts'
export {
  type CreateOptions,
  createSurefoot,
  type FileReference,
  type HandlerOptions,
  type InputFile,
  type Predictions,
  type Surefoot,
  type SurefootOptions,
} from './surefoot.ts'
