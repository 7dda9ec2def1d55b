import { dirname, posix } from 'node:path'
import { type ESTree, parseSync } from 'vite'

/** One file of the repository: its path from the root, with slashes, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** What a file imports: a path from the repository's root, or the name of a package as written. */
export interface ImportedModule {
  readonly to: string
  readonly isOurs: boolean
  readonly isType: boolean
}

/** A syntax tree's node, as far as a walk through all of them needs to know it. */
interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

/** Globals by which time, dice, the outside world or the process get into code that should not know of them. */
const impureGlobals = new Set([
  'clearInterval',
  'clearTimeout',
  'crypto',
  'fetch',
  'globalThis',
  'performance',
  'process',
  'queueMicrotask',
  'setImmediate',
  'setInterval',
  'setTimeout',
])

/** Every import, re-export, dynamic import and import type with a literal address. */
export function readImports(file: SourceFile): ImportedModule[] {
  const found: ImportedModule[] = []
  for (const node of nodesOf(file)) {
    const source = sourceOf(node)
    if (source === null) continue
    const isOurs = source.startsWith('.')
    const to = isOurs ? posix.join(dirname(file.path), source) : source
    found.push({ to, isOurs, isType: isTypeOnly(node) })
  }
  return found
}

/**
 * Imports that the table does not allow, a sentence each. The table's keys and values are folders or files, with `*` for
 * one name; of the keys the longest that fits counts. A file may always import its own zone, less the zones inside it
 * (of `providers/*` each folder is one); a file that no key fits is a violation too.
 */
export function findForeignImports(
  files: readonly SourceFile[],
  mayImport: { readonly [zone: string]: readonly string[] },
): string[] {
  const zones = Object.keys(mayImport).toSorted((a, b) => b.length - a.length)
  const zoneOf = (path: string) => {
    const key = zones.find(zone => covers(zone, path))
    return key === undefined ? null : { key, place: placeOf(key, path) }
  }
  return files.flatMap(file => {
    const zone = zoneOf(file.path)
    if (zone === null) return [`${file.path} is in no row of the table.`]
    const allowed = mayImport[zone.key] ?? []
    return readImports(file)
      .filter(({ isOurs, to }) => isOurs && zoneOf(to)?.place !== zone.place)
      .filter(({ to }) => !allowed.some(entry => covers(entry, to)))
      .map(({ to }) => `${file.path} may not import ${to}.`)
  })
}

/** Imports of values in files that may know others by their types only. */
export function findValueImports(file: SourceFile): string[] {
  return readImports(file)
    .filter(({ isType }) => !isType)
    .map(({ to }) => `${file.path} may import only types, not ${to}.`)
}

/** Whatever makes a file's behaviour depend on more than its arguments: clocks, dice, timers, packages, the process. */
export function findImpurities(file: SourceFile): string[] {
  const found: string[] = readImports(file).flatMap(({ isOurs, to }) => (isOurs ? [] : [`the module ${to}`]))
  for (const node of nodesOf(file)) {
    if (isMember(node, 'Math', 'random')) found.push('Math.random')
    if (isMember(node, 'Date', 'now')) found.push('Date.now')
    if (isNameless(node, 'NewExpression', 'Date')) found.push('new Date()')
    if (isNameless(node, 'CallExpression', 'Date')) found.push('Date()')
    if (node.type === 'Identifier' && impureGlobals.has(String(node.name))) found.push(String(node.name))
  }
  return found.map(what => `${file.path} is pure and may not use ${what}.`)
}

/** Readers of the environment. */
export function findEnvironmentReads(file: SourceFile): string[] {
  return nodesOf(file)
    .filter(node => isMember(node, 'process', 'env') || destructures(node, 'process', 'env'))
    .map(() => `${file.path} may not read process.env; config does.`)
}

export function findDefaultExports(file: SourceFile): string[] {
  return nodesOf(file)
    .filter(node => node.type === 'ExportDefaultDeclaration' || (node.type === 'ExportSpecifier' && isDefault(node)))
    .map(() => `${file.path} has a default export.`)
}

/** `any`, also where the linter was told to look away. */
export function findAnys(file: SourceFile): string[] {
  return nodesOf(file)
    .filter(({ type }) => type === 'TSAnyKeyword')
    .map(() => `${file.path} says any.`)
}

/** Whether a folder, file or pattern of the table stands for a path. */
function covers(entry: string, path: string): boolean {
  const pattern = entry.replaceAll('.', '\\.').replaceAll('*', '[^/]+')
  return new RegExp(`^${pattern}${entry.endsWith('.ts') ? '' : '/.*'}$`).test(path)
}

/** The part of a path that an entry stands for: `providers/local` of `providers/local/wire.ts` for `providers/*`. */
function placeOf(entry: string, path: string): string {
  return path.split('/').slice(0, entry.split('/').length).join('/')
}

/** All nodes of a file's syntax tree, but for names that are keys: `clock.fetch` and `{ process: 1 }` use no global. */
function nodesOf({ path, text }: SourceFile): Node[] {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path} cannot be parsed: ${errors[0]?.message}`)
  const nodes: Node[] = []
  function visit(value: unknown): void {
    if (Array.isArray(value)) return value.forEach(visit)
    if (!isNode(value)) return
    nodes.push(value)
    for (const [key, child] of Object.entries(value)) if (!isKey(value, key)) visit(child)
  }
  visit(program satisfies ESTree.Program)
  return nodes
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}

function isKey(node: Node, key: string): boolean {
  return (key === 'property' || (key === 'key' && node.shorthand !== true)) && node.computed !== true
}

function sourceOf(node: Node): string | null {
  const kinds = [
    'ImportDeclaration',
    'ExportNamedDeclaration',
    'ExportAllDeclaration',
    'ImportExpression',
    'TSImportType',
  ]
  if (!kinds.includes(node.type)) return null
  return isNode(node.source) && typeof node.source.value === 'string' ? node.source.value : null
}

/** `import type`, `export type`, an import type, or braces in which every name is a type. */
function isTypeOnly(node: Node): boolean {
  if (node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type') return true
  const names = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : []
  return names.length > 0 && names.every(name => name.importKind === 'type' || name.exportKind === 'type')
}

/** `owner.name`, called or not. */
function isMember(node: Node, owner: string, name: string): boolean {
  return node.type === 'MemberExpression' && isNamed(node.object, owner) && isNamed(node.property, name)
}

/** `const { name } = owner`. */
function destructures(node: Node, owner: string, name: string): boolean {
  if (node.type !== 'VariableDeclarator' || !isNamed(node.init, owner) || !isNode(node.id)) return false
  const properties = Array.isArray(node.id.properties) ? node.id.properties.filter(isNode) : []
  return properties.some(property => isNamed(property.key, name))
}

/** `new Name()` or `Name()`, without arguments: with one, `Date` only converts. */
function isNameless(node: Node, type: 'NewExpression' | 'CallExpression', name: string): boolean {
  return (
    node.type === type && isNamed(node.callee, name) && Array.isArray(node.arguments) && node.arguments.length === 0
  )
}

function isNamed(value: unknown, name: string): boolean {
  return isNode(value) && (value.name === name || value.value === name)
}

function isDefault(node: Node): boolean {
  return isNamed(node.exported, 'default')
}
