import type { Recommendation } from './providers.ts'

/** Which deployment fits, what decided, and what had to be taken on trust. */
export function Recommended({ recommendation }: { recommendation: Recommendation }) {
  const { deployment, basis, prefer, reasons, assumptions } = recommendation
  return (
    <div className="recommended" aria-live="polite">
      <p className="recommended-head">
        {deployment === null ? (
          <>No deployment fits this wish.</>
        ) : (
          <>
            For {prefer}: <strong>{deployment}</strong>
            {basis && <span className="tag">{basis}</span>}
          </>
        )}
      </p>
      <ul>
        {reasons.map(reason => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
      {assumptions.length > 0 && (
        <>
          <p className="recommended-assumed">Assumed</p>
          <ul className="quiet">
            {assumptions.map(assumption => (
              <li key={assumption}>{assumption}</li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
