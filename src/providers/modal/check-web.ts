import { createFailure, SurefootError } from '../../core/failure.ts'
import type { Finding, Io } from '../contract.ts'
import { ok, problem, warning } from '../finding.ts'
import { describeNetworkError } from '../http.ts'
import { callKey } from './web-answer.ts'

/** A call of nobody: Modal looks for it itself and runs nothing. */
const noCall = 'fc-00000000000000000000000000'

/**
 * Asks an endpoint for the result of a call that never was, with our credentials and without: Modal's own front answers
 * that, so that no container starts. Whether the path is right it does not tell: a wrong one and an unknown call are both
 * 404. Source: modal.com/docs/guide/webhook-proxy-auth and webhook-timeouts; that an unknown call starts nothing follows
 * from them and was not tried.
 */
export async function checkWeb(
  targetUrl: string,
  credentials: { readonly [name: string]: string },
  io: Io,
): Promise<readonly Finding[]> {
  const url = new URL(targetUrl)
  url.searchParams.set(callKey, noCall)
  const ask = async (headers: { readonly [name: string]: string }) => {
    try {
      const response = await io.fetch(url, { headers, redirect: 'manual', signal: io.signal })
      return { status: response.status, text: (await response.text()).slice(0, 400) }
    } catch (cause) {
      const words = describeNetworkError(cause, io.signal, url)
      throw new SurefootError(createFailure('provider_unreachable', `Modal could not be asked: ${words}.`), { cause })
    }
  }
  const hasKey = Object.keys(credentials).length > 0
  const { status, text } = await ask(credentials)
  if (status === 401 || status === 403) {
    const message = hasKey
      ? `Modal: the endpoint refuses proxyKey and proxySecret (${status}).`
      : `Modal: the endpoint wants proxy authentication (${status}), and the provider has none.`
    const advice =
      'Set proxyKey (wk-...) and proxySecret (ws-...) of the workspace; the API token (ak-...) is another one.'
    return [problem('modal-web-auth', message, advice)]
  }
  if (/is disabled/.test(text)) {
    const message = "Modal: the endpoint's workspace is disabled."
    return [problem('modal-web-auth', message, 'See at modal.com why, then try again.')]
  }
  const isOpen = hasKey ? (await ask({})).status !== 401 : true
  return [
    ok(
      'modal-web',
      `Modal: something answers at ${url.host} (${status}); whether it is this endpoint is seen with --probe only.`,
    ),
    ...(isOpen
      ? [
          warning(
            'modal-web-open',
            'Modal: the endpoint asks nobody for credentials: whoever knows its address runs it on your bill.',
            'Deploy it with requires_proxy_auth=True, and set proxyKey and proxySecret.',
          ),
        ]
      : [ok('modal-web-auth', 'Modal: the endpoint wants proxy authentication, and takes ours.')]),
  ]
}
