/** What a schema library says about a value that does not fit, as far as it is needed for words. */
export interface SchemaIssue {
  readonly code?: string | undefined
  readonly message: string
  readonly expected?: unknown
  readonly origin?: unknown
  readonly minimum?: unknown
  readonly maximum?: unknown
  readonly inclusive?: unknown
}

const things: { readonly [expected: string]: string } = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

/**
 * A schema's complaint in words for people, to stand behind the name of a field and a colon: `is missing`, `must be a
 * number`, `must be at most 1000`. Whatever has no words here, a schema's own sentences among it, stays as it is.
 */
export function wordsOfIssue(issue: SchemaIssue | undefined): string {
  if (issue === undefined) return 'does not fit'
  const { code, message, expected, origin, minimum, maximum, inclusive } = issue
  if (code === 'invalid_type' && message.startsWith('Invalid input: expected ')) {
    if (message.endsWith('received undefined')) return 'is missing'
    const thing = things[String(expected)]
    return thing === undefined ? message : `must be ${thing}`
  }
  const isNumber = origin === 'number' || origin === 'int'
  if (code === 'too_big' && isNumber && message.startsWith('Too big: '))
    return `must be ${inclusive === false ? 'less than' : 'at most'} ${maximum}`
  if (code === 'too_small' && isNumber && message.startsWith('Too small: '))
    return `must be ${inclusive === false ? 'more than' : 'at least'} ${minimum}`
  return message
}
