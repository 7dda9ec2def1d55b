import { type ReactNode, useState } from 'react'
import { giveToken, useTokenWanted } from './token.ts'

/** The page, or in its place the question for a token, while the gateway asks for one. */
export function TokenGate({ children }: { readonly children: ReactNode }) {
  const why = useTokenWanted()
  return why === null ? children : <TokenForm why={why} />
}

function TokenForm({ why }: { readonly why: string }) {
  const [token, setToken] = useState('')
  return (
    <main className="token">
      <form
        className="panel"
        onSubmit={event => {
          event.preventDefault()
          if (token.trim() !== '') giveToken(token.trim())
        }}
      >
        <p role="alert">{why}</p>
        <label className="limit">
          Token
          <input
            type="password"
            autoComplete="off"
            spellCheck={false}
            placeholder="sf_..."
            value={token}
            onChange={({ target }) => setToken(target.value)}
          />
        </label>
        <p className="buttons">
          <button type="submit" className="button primary">
            Go on
          </button>
        </p>
        <p className="quiet">
          It is kept in this tab until you close it. Whoever runs the gateway makes one by “surefoot token create”.
        </p>
      </form>
    </main>
  )
}
