import { useEffect, useState } from 'react'
import type { Prediction } from './api.ts'
import { formatElapsed, formatPercent, formatStage } from './format.ts'
import { useNow } from './use-now.ts'

export interface ProgressProps {
  /** Null while the photo is still on its way to the gateway. */
  readonly prediction: Prediction | null
  /** When the wait began: the moment of the drop, or of the prediction's creation. Milliseconds. */
  readonly since: number
  readonly connected: boolean
  readonly onCancel: () => Promise<void>
}

/** Where the work is, in the server's words and its own fraction; the bar has no end where the server names none. */
export function Progress({ prediction, since, connected, onCancel }: ProgressProps) {
  const now = useNow(500)
  const [canceling, setCanceling] = useState(false)
  const stage = canceling ? 'Canceling' : prediction === null ? 'Sending the photo' : formatStage(prediction)
  const fraction = canceling ? null : (prediction?.surefoot.progress?.fraction ?? null)
  return (
    <div className="panel progress">
      <p className="progress-line">
        <span className="progress-stage">{stage}</span>
        {fraction !== null && <span className="number">{formatPercent(fraction)}</span>}
      </p>
      <div
        className="bar"
        role="progressbar"
        aria-label={stage}
        aria-valuemin={0}
        aria-valuemax={100}
        {...(fraction === null ? {} : { 'aria-valuenow': Math.floor(fraction * 100) })}
        data-indeterminate={fraction === null || undefined}
      >
        <span style={fraction === null ? undefined : { transform: `scaleX(${fraction})` }} />
      </div>
      <p className="progress-line quiet">
        <span>
          <span className="number">{formatElapsed(now - since)}</span>
          {connected ? '' : ' · The gateway cannot be reached; trying again'}
        </span>
        <button
          type="button"
          className="button small"
          disabled={canceling}
          onClick={async () => {
            setCanceling(true)
            await onCancel().catch(() => {})
            setCanceling(false)
          }}
        >
          Cancel
        </button>
      </p>
      <Announcement stage={stage} fraction={fraction} />
    </div>
  )
}

/** For screen readers: each new stage and each quarter, not every tick. */
function Announcement({ stage, fraction }: { stage: string; fraction: number | null }) {
  const quarter = fraction === null ? 0 : Math.floor(fraction * 4) * 25
  const [words, setWords] = useState('')
  useEffect(() => setWords(quarter > 0 ? `${stage}, ${quarter} percent` : stage), [stage, quarter])
  return (
    <p className="visually-hidden" role="status">
      {words}
    </p>
  )
}
