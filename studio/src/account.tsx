import { useEffect, useState } from 'react'
import { type Attempts, getAttempts, type Prediction } from './api.ts'
import { capitalize, formatSpan } from './format.ts'

/** What happened, decision by decision, with the time of each since the beginning. Asked for only when opened. */
export function Account({ prediction }: { prediction: Prediction }) {
  const [open, setOpen] = useState(false)
  const [account, setAccount] = useState<Attempts | null>(null)

  useEffect(() => {
    if (!open) return
    const abort = new AbortController()
    getAttempts(prediction.id, abort.signal).then(setAccount, () => {})
    return () => abort.abort()
  }, [open, prediction])

  const begun = Date.parse(prediction.created_at)
  return (
    <details className="account" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>What happened</summary>
      {account === null ? (
        <p className="quiet">Asking the gateway.</p>
      ) : (
        <ol>
          {account.decisions.map(({ at, what, why }) => (
            <li key={`${at} ${what}`}>
              <span className="number quiet">{formatSpan(Date.parse(at) - begun)}</span>
              <span>
                {capitalize(what)}. <span className="quiet">{why}</span>
              </span>
            </li>
          ))}
        </ol>
      )}
    </details>
  )
}
