import type { Model } from './contract.ts'
import { relief } from './relief.ts'
import { sharp } from './sharp.ts'

export { defineModel, type ModelDefinition } from './define-model.ts'
export { createImageInput } from './image-input.ts'
export { relief, sharp }

/** The models that Surefoot brings, by public name. */
export const builtInModels: ReadonlyMap<string, Model> = new Map([relief, sharp].map(model => [model.name, model]))
