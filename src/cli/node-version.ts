/** The oldest Node that has what the package stands on (its SQLite, module hooks); `engines` in package.json says the same. */
const oldest = [22, 18] as const

/** Why this version of Node (`v20.20.2`) cannot run us, as one sentence; null when it can. */
export function explainOldNode(version: string): string | null {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return null
  return `Surefoot needs Node ${oldest.join('.')} or newer; this is ${version}.`
}
