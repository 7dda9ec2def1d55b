import { invariant } from '../core/failure.ts'
import { endOf, noLimits, type Scope, scopes, type Token, type TokenLimits } from '../core/token.ts'
import { type Access, scopeFor } from './access.ts'
import type { AppDependencies, Caller, Context, Mounted, Visitor } from './context.ts'
import { refuseHttp } from './errors.ts'
import { createRates } from './rates.ts'
import { digestOf, idOfSecret, isDigestOf, readAuthorization } from './secrets.ts'

/** Who comes in. */
export interface Door {
  /**
   * Whether callers need tokens: where more than this machine is served, and once there is one that was not revoked. Never
   * unlearnt before the process ends: that the last token expires or is revoked opens nothing.
   */
  needsTokens(): Promise<boolean>
  /**
   * Who sends a request to a mounted app, by its `Authorization` header or the app's sign-in; null for nobody. Counts and
   * refuses nothing: for what is decided before the request is let in.
   */
  recognise(header: string | undefined, mounted: Pick<Mounted, 'visitor'>): Promise<Caller | null>
  /** Sets who calls, or refuses (401, 403, 429). `any` asks for a good token, whatever its scopes. */
  admit(c: Context, access: Access | 'any'): Promise<void>
}

/** So that `last used` is true to the hour without a write for each request. */
const useNotedEveryMs = 3_600_000

/** What an unknown id is compared with, so that it takes the same way as a known one. */
const nobody = digestOf('nobody has this')

const visitorScopes: readonly Scope[] = ['predict', 'read']

/** Under which name a visitor's predictions and files are kept; no token's id looks like it. */
export function ownerOf({ user }: Visitor): string {
  invariant(user.length > 0 && user.length <= 200, 'a user has a name of 1 to 200 characters')
  return `user:${user}`
}

/** A visitor as a caller, with what is not said of it by default. */
export function callerOf(visitor: Visitor): Caller {
  const granted = visitor.scopes ?? visitorScopes
  const limits = { ...noLimits, ...visitor.limits }
  return { owner: ownerOf(visitor), scopes: granted, limits, seesAll: granted.includes('admin') }
}

const localCaller: Caller = { owner: 'local', scopes, limits: noLimits, seesAll: false }

/** Creates the door of an app. Its memory: whether tokens are needed, and how fast each caller calls. */
export function createDoor(deps: AppDependencies): Door {
  const { store, clock, log, access } = deps
  const rates = deps.rates ?? createRates()
  const ownerDigest = access?.ownerSecret === undefined ? nobody : digestOf(access.ownerSecret)
  let isNeeded = access?.tokensRequired ?? false

  async function needsTokens(): Promise<boolean> {
    isNeeded ||= await store.hasTokens()
    return isNeeded
  }

  async function find(secret: string | null): Promise<Token> {
    const id = secret === null ? null : idOfSecret(secret)
    const token = id === null ? null : await store.findToken(id)
    if (!isDigestOf(token?.digest ?? nobody, secret ?? '') || token === null)
      return refuse('token_invalid', 'This token is not one of ours.')
    // Only whoever has its secret hears what has become of it.
    const end = endOf(token, clock.now())
    if (end === 'expired') refuse('token_expired', 'This token has expired; ask for a new one.')
    if (end === 'revoked') refuse('token_revoked', 'This token was revoked; ask for a new one.')
    return token
  }

  function slowDown(id: string, { requestsPerMinute }: TokenLimits): void {
    const waitMs = requestsPerMinute === null ? 0 : rates.take(id, requestsPerMinute, clock.now())
    if (waitMs === 0) return
    const seconds = String(Math.ceil(waitMs / 1000))
    refuseHttp('too_many_requests', `This caller may send ${requestsPerMinute} requests a minute.`, {
      'retry-after': seconds,
    })
  }

  function noteUse({ id, lastUsedAt }: Token): void {
    const now = clock.now()
    if (lastUsedAt !== null && now - lastUsedAt < useNotedEveryMs) return
    store
      .noteTokenUse(id, now)
      .catch(error => log('warn', 'the use of a token was not noted', { error: String(error) }))
  }

  function callerWith({ id, scopes, limits }: Token): Caller {
    return { owner: id, scopes, limits, seesAll: scopes.includes('admin') }
  }

  async function identifyVisitor(c: Context, { visitor }: Mounted): Promise<Caller> {
    // Its cookies came along with another site's page.
    if (c.get('isForeign')) refuse('token_missing', 'Pages of other origins need a token here, whoever has signed in.')
    const caller = callerOf((await visitor()) ?? refuse('token_missing', 'Sign in first.'))
    slowDown(caller.owner, caller.limits)
    return caller
  }

  async function identify(c: Context, wanted: Access | 'any'): Promise<Caller> {
    const header = c.req.header('authorization')
    const secret = readAuthorization(header)
    if (secret !== null && isDigestOf(ownerDigest, secret)) return { ...localCaller, seesAll: true }
    const { mounted } = c.env ?? {}
    if (mounted !== undefined && idOfSecret(secret ?? '') === null) return await identifyVisitor(c, mounted)
    // Clients of Replicate's always send some token; where none is needed none is looked at.
    if (mounted === undefined && wanted !== 'tokens' && !(await needsTokens())) return localCaller
    if (header === undefined)
      refuse('token_missing', 'Send a token: "Authorization: Bearer sf_...". surefoot token create makes one.')
    const token = await find(secret)
    slowDown(token.id, token.limits)
    noteUse(token)
    return callerWith(token)
  }

  return {
    needsTokens,
    async recognise(header, { visitor }) {
      const secret = readAuthorization(header)
      const id = idOfSecret(secret ?? '')
      if (id === null) {
        const found = await visitor()
        return found === null ? null : callerOf(found)
      }
      const token = await store.findToken(id)
      const isGood = isDigestOf(token?.digest ?? nobody, secret ?? '') && token !== null
      return isGood && endOf(token, clock.now()) === null ? callerWith(token) : null
    },
    async admit(c, wanted) {
      const scope = wanted === 'any' ? null : scopeFor(wanted)
      if (scope === null && wanted !== 'any') return
      const caller = await identify(c, wanted)
      if (scope !== null && !caller.scopes.includes(scope))
        refuseHttp('scope_missing', `This needs a token with the scope "${scope}".`)
      c.set('caller', caller)
    },
  }
}

function refuse(code: 'token_missing' | 'token_invalid' | 'token_expired' | 'token_revoked', detail: string): never {
  return refuseHttp(code, detail, { 'www-authenticate': 'Bearer realm="surefoot"' })
}
