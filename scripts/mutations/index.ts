import { endings } from './endings.ts'
import { limits } from './limits.ts'
import type { Rule } from './mutation.ts'
import { starts } from './starts.ts'

export type { Mutation, Rule } from './mutation.ts'

/** The eight rules of the design, in order, each with ways to break it. */
export const rules: readonly Rule[] = [...endings, ...starts, ...limits]
