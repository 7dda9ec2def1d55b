import { type Prediction, RequestError } from './api.ts'
import { capitalize, formatFault } from './format.ts'

/** What people need to hear of a bad end: what happened, whose fault it is, what to do, and where to ask. */
export interface Trouble {
  readonly message: string
  readonly more: string
  readonly reference: string | null
  /** False where the same photo would only be refused again. */
  readonly retry: boolean
}

/** The trouble of a prediction that ended without a result. */
export function troubleOf(prediction: Prediction): Trouble {
  const { failure } = prediction.surefoot
  if (failure)
    return {
      message: failure.message,
      more: `${formatFault(failure.fault)} ${failure.advice}`.trim(),
      reference: `${failure.code} · ${prediction.id}`,
      retry: failure.fault !== 'user',
    }
  if (prediction.status === 'failed')
    return {
      message: prediction.error ?? 'The prediction failed without a reason.',
      more: '',
      reference: prediction.id,
      retry: true,
    }
  return { message: 'This was canceled.', more: '', reference: null, retry: true }
}

/** The trouble of a request that was refused or got nowhere. */
export function troubleFrom(error: unknown): Trouble {
  if (!(error instanceof RequestError))
    return { message: 'Something went wrong on this page.', more: String(error), reference: null, retry: true }
  const parts = [error.code, error.requestId].filter(part => part !== null)
  return {
    message: error.message,
    more: '',
    reference: parts.length > 0 ? parts.join(' · ') : null,
    retry: error.status === 0 || error.status === 429 || error.status >= 500,
  }
}

export interface FailureProps {
  readonly trouble: Trouble
  /** Null where the photo cannot be had any more. */
  readonly onRetry: (() => void) | null
  readonly onNew: () => void
}

export function Failure({ trouble, onRetry, onNew }: FailureProps) {
  return (
    <div className="panel failure" role="alert">
      <p className="failure-message">{capitalize(trouble.message)}</p>
      {trouble.more && <p>{trouble.more}</p>}
      <p className="buttons">
        {onRetry && trouble.retry && (
          <button type="button" className="button primary" onClick={onRetry}>
            Try again
          </button>
        )}
        <button type="button" className={trouble.retry && onRetry ? 'button' : 'button primary'} onClick={onNew}>
          Another photo
        </button>
      </p>
      {trouble.reference && <p className="reference">{trouble.reference}</p>}
    </div>
  )
}
