import type { Finding, Intent, Io } from '../contract.ts'
import { ok, warning } from '../finding.ts'
import { inputSchemaOf, judgeInput, judgeKit } from '../input-schema.ts'
import { kitKey } from '../kit.ts'
import { isSuccess, type VendorApi } from '../vendor-api.ts'
import type { CogMode, CogTarget } from './options.ts'
import { rootSchema } from './wire.ts'

/**
 * Asks a server for its version and for its model's input. Nothing is started. Source: `routes.rs` of coglet, and the
 * release notes of the versions that are named here.
 */
export async function check(
  target: CogTarget,
  mode: CogMode,
  api: VendorApi,
  io: Io,
  intent: Intent,
): Promise<readonly Finding[]> {
  const { name } = api.vendor
  const root = await api.ask({ method: 'GET', path: '/' }, io)
  const version = isSuccess(root) ? rootSchema.safeParse(root.json).data?.cog_version : undefined
  const schema = await api.ask({ method: 'GET', path: '/openapi.json' }, io)
  const input = isSuccess(schema) ? inputSchemaOf(schema.json) : null
  return [
    ...judgeVersion(name, version, mode, target),
    ...(input === null
      ? [ok('cog-input', `${name}: the server tells nothing of its model's input, and checks none.`)]
      : judgeInput('cog-input', name, input, intent, target.inputs)),
    ...judgeKit('cog-kit', name, input, kitKey, target.kit === true),
  ]
}

/** What is said of a kit that runs whatever anybody sends to it. */
export function openKit(name: string): Finding {
  const words = `${name}: the kit stands at a public address and asks for no proof: whoever finds it may use its GPU.`
  return warning(
    'kit-open',
    words,
    'Set one secret as kitSecret of the provider and SUREFOOT_KIT_SECRET of the worker.',
  )
}

function judgeVersion(name: string, version: string | undefined, mode: CogMode, { kit }: CogTarget): Finding[] {
  const [major = 0, minor = 0, patch = 0] = (version ?? '').split(/[.+-]/).map(Number)
  if (version === undefined || Number.isNaN(minor))
    return [ok('cog-version', `${name}: the server does not tell its version.`)]
  const words = `${name}: the server is cog ${version}`
  // A kit uploads by itself and never meets these.
  if (major > 0 || kit === true) return [ok('cog-version', `${words}.`)]
  if (minor < 17)
    return [
      warning(
        'cog-version',
        mode === 'webhook'
          ? `${words}: outputs may come as paths of its own disk, and its webhooks keep it busy for minutes when they fail.`
          : `${words}: it says "busy" while it sets up.`,
        'Build the image with cog 0.23.1 or newer.',
      ),
    ]
  if (minor < 23 || (minor === 23 && Number.isFinite(patch) && patch < 1))
    return [
      warning(
        'cog-version',
        `${words}: where it uploads outputs (--upload-url), one that fails is lost and the run still succeeds.`,
        'Build the image with cog 0.23.1 or newer.',
      ),
    ]
  return [ok('cog-version', `${words}.`)]
}
