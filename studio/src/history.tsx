import { useState } from 'react'
import { isLive, photoOf } from './api.ts'
import { fileName, formatAgo, formatStage, formatStatus } from './format.ts'
import { isPlainClick } from './plain-click.ts'
import { addressOf } from './use-address.ts'
import type { History } from './use-history.ts'
import { useNow } from './use-now.ts'

export interface HistoryListProps {
  readonly history: History
  readonly selected: string | null
  readonly onSelect: (id: string) => void
}

/** Everything that was asked of this gateway, newest first. */
export function HistoryList({ history, selected, onSelect }: HistoryListProps) {
  const now = useNow(30_000)
  const { items, failed, loadOlder } = history
  return (
    <nav className="history" aria-labelledby="history-title">
      <h2 id="history-title">History</h2>
      {failed && <p className="quiet">The history cannot be loaded now; trying again.</p>}
      {items?.length === 0 && !failed && <p className="quiet">Photos that you send appear here, and stay.</p>}
      <ol>
        {items?.map(item => (
          <li key={item.id}>
            <a
              href={addressOf({ prediction: item.id })}
              aria-current={item.id === selected ? 'page' : undefined}
              onClick={event => {
                if (!isPlainClick(event)) return
                event.preventDefault()
                onSelect(item.id)
              }}
            >
              <Thumbnail address={photoOf(item)} />
              <span className="history-words">
                <span className="history-name">{fileName(photoOf(item))}</span>
                <span className="quiet" data-status={item.status}>
                  {isLive(item) ? formatStage(item) : `${formatStatus(item.status)} · `}
                  {!isLive(item) && (
                    <time dateTime={item.created_at}>{formatAgo(Date.parse(item.created_at), now)}</time>
                  )}
                </span>
              </span>
            </a>
          </li>
        ))}
      </ol>
      {loadOlder && (
        <button type="button" className="button small" onClick={loadOlder}>
          Show older
        </button>
      )}
    </nav>
  )
}

/**
 * The photo, small; a blank where it is gone or of a kind that this browser cannot show. Keeps the address that it first
 * had: each answer signs it anew, which would load every picture again.
 */
function Thumbnail({ address }: { address: string | null }) {
  const [url, setUrl] = useState(address)
  if (url === null) return <span className="thumbnail" />
  return <img className="thumbnail" src={url} alt="" loading="lazy" decoding="async" onError={() => setUrl(null)} />
}
