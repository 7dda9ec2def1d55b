import type { RefObject } from 'react'
import { type Prediction, photoOf } from './api.ts'
import { isSplat, splatFacts } from './facts.ts'
import { fileName, formatBytes, formatCost, formatCount, formatSpan } from './format.ts'
import { Formats } from './formats.tsx'
import type { ViewerHandle } from './viewer.tsx'

export interface ResultProps {
  readonly prediction: Prediction
  /** Signed address of the result, as fresh as it is known: links expire after an hour or two. */
  readonly file: string | null
  readonly viewer: RefObject<ViewerHandle | null>
}

/** Beneath a finished scene: what it is, where it came from, what to know about it, and the file itself. */
export function Result({ prediction, file, viewer }: ResultProps) {
  const { output, notice, deployment, cost, derivatives = [] } = prediction.surefoot
  const splat = output !== null && isSplat(output)
  const count = splat ? splatFacts(output).count : null
  const took = prediction.completed_at ? Date.parse(prediction.completed_at) - Date.parse(prediction.created_at) : null
  const facts = [
    count === null ? null : `${formatCount(count)} splats`,
    took === null ? null : `made in ${formatSpan(took)}`,
    deployment === null ? null : `by ${deployment}`,
    cost === null || cost.amount === 0 ? null : formatCost(cost),
  ].filter(fact => fact !== null)
  return (
    <section className="result" aria-labelledby="result-title">
      <div className="result-head">
        <h2 id="result-title">{fileName(photoOf(prediction))}</h2>
        <p className="quiet">{facts.join(' · ')}</p>
      </div>
      <p className="buttons">
        {splat && (
          <button type="button" className="button" onClick={() => viewer.current?.reset()} aria-keyshortcuts="R">
            Reset view
          </button>
        )}
        {file !== null && (
          <a className="button primary" href={file} download={output?.name ?? ''}>
            Download {output?.name.split('.').pop()?.toUpperCase() ?? 'file'}
            {output && <span className="button-more">{formatBytes(output.bytes)}</span>}
          </a>
        )}
      </p>
      {notice !== null && <p className="notice">{notice}</p>}
      {derivatives.length > 0 && <Formats key={prediction.id} prediction={prediction.id} derivatives={derivatives} />}
    </section>
  )
}
