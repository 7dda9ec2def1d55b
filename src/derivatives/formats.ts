/** How the names of derivatives end, without the dot before. */
export type Ending = 'sog' | 'compressed.ply' | 'spz' | 'clean.ply' | 'html' | 'json' | 'webp'

/** What can be made of a splat. */
export interface Format {
  readonly ending: Ending
  readonly mediaType: string
  /** What it is made of. Default: of the splat's Gaussians, so that presets apply. */
  readonly of?: 'photo' | 'facts'
  /** For people. */
  readonly label: string
}

/** Change it whenever the same splat is to become another file: what was made before is then made anew. */
export const derivativesRecipe = 1

const sog: Format = {
  ending: 'sog',
  mediaType: 'application/octet-stream',
  label: 'SOG: the smallest, for PlayCanvas and Spark',
}
const cleanPly: Format = {
  ending: 'clean.ply',
  mediaType: 'application/octet-stream',
  label: 'PLY without the elements that old viewers refuse',
}

export const formats: readonly Format[] = [
  sog,
  { ending: 'compressed.ply', mediaType: 'application/octet-stream', label: 'compressed PLY: made and read fastest' },
  { ending: 'spz', mediaType: 'application/octet-stream', label: "SPZ, version 3: Niantic's format" },
  {
    ending: 'clean.ply',
    mediaType: 'application/octet-stream',
    label: 'PLY without the elements that old viewers refuse',
  },
  { ending: 'html', mediaType: 'text/html', label: 'one page with viewer and scene, to share' },
  { ending: 'json', mediaType: 'application/json', of: 'facts', label: 'what a viewer must know of the camera' },
  { ending: 'webp', mediaType: 'image/webp', of: 'photo', label: 'the photo as a poster' },
]

/** What is left out of a splat before it is converted. */
export interface Limits {
  /** Gaussians of less opacity go; 0 to 1. */
  readonly leastOpacity: number
  /** So many Gaussians at most: the others are merged into their neighbours, which takes half a minute for a million. */
  readonly mostSplats: number | null
}

export const noLimits: Limits = { leastOpacity: 0, mostSplats: null }

/**
 * Named limits. `phone` keeps a scene within what phones and headsets draw at full rate without a tree of levels (Spark's
 * default budget for the weakest of them is 0.5 million).
 */
export const presets: Readonly<Record<Preset, Limits>> = { phone: { leastOpacity: 0.02, mostSplats: 500_000 } }

export type Preset = 'phone'

/** What a preset is for, for people. */
export const presetLabels: Readonly<Record<Preset, string>> = {
  phone: 'the smallest for phones and headsets: at most 500,000 splats',
}

/** A file that can be made of an output. */
export interface Derivative {
  /** `scene.phone.sog`: the output's name without its ending, the preset where there is one, the format's ending. */
  readonly name: string
  readonly format: Format
  readonly preset: Preset | null
}

/** Those that answers list: every format, and the smallest for phones. The others are made as well when asked for. */
export function listDerivatives(output: string): readonly Derivative[] {
  return allDerivatives(output).filter(({ format, preset }) => preset === null || format === sog)
}

/** Every derivative of an output of this name: each format, and each preset of those that are made of Gaussians. */
function allDerivatives(output: string): readonly Derivative[] {
  const base = toBase(output)
  return formats.flatMap(format => {
    const plain: Derivative = { name: `${base}.${format.ending}`, format, preset: null }
    if (format.of !== undefined) return [plain]
    const named = Object.keys(presets) as Preset[]
    return [plain, ...named.map(preset => ({ name: `${base}.${preset}.${format.ending}`, format, preset }))]
  })
}

/** The derivative of an output that a file name stands for, or null. */
export function parseDerivative(output: string, name: string): Derivative | null {
  return allDerivatives(output).find(derivative => derivative.name === name) ?? null
}

/** The format of any file by its name's ending; a plain `.ply` is a clean one. Null for an ending that stands for none. */
export function formatOf(name: string): Format | null {
  const lower = name.toLowerCase()
  const found = formats.find(({ ending }) => lower.endsWith(`.${ending}`))
  return found ?? (lower.endsWith('.ply') ? cleanPly : null)
}

function toBase(output: string): string {
  return output.replace(/\.[^.]*$/, '')
}
