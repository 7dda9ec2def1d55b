/** One way to break a rule on purpose. */
export interface Mutation {
  /** Relative to the repository. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** What goes wrong then. */
  readonly breaks: string
}

/** One of the eight rules that the design promises, with ways to break it. */
export interface Rule {
  readonly number: number
  readonly says: string
  readonly mutations: readonly Mutation[]
}
