import { useCallback, useMemo, useRef, useState } from 'react'
import { Account } from './account.tsx'
import { cancelPrediction, fileOf, isLive, type Prediction, photoOf } from './api.ts'
import { isSplat, type SplatFacts, splatFacts } from './facts.ts'
import { Failure, troubleOf } from './failure.tsx'
import { Progress } from './progress.tsx'
import { Result } from './result.tsx'
import { Stage } from './stage.tsx'
import { Viewer, type ViewerHandle } from './viewer.tsx'

export interface ShownProps {
  readonly prediction: Prediction
  /** The photo as this page still has it, where it was sent from here. */
  readonly preview: string | null
  /** Address of the result, renewed with the history. */
  readonly file: string | null
  readonly connected: boolean
  readonly onRetry: () => void
  readonly onNew: () => void
}

/** One prediction in whatever state it is. Give each its own `key`. */
export function Shown({ prediction, preview, file, connected, onRetry, onNew }: ShownProps) {
  const viewer = useRef<ViewerHandle>(null)
  const [ready, setReady] = useState(false)
  const onReady = useCallback(() => setReady(true), [])
  // Answers sign their links anew from time to time; the first ones serve as long as the page shows them.
  const [photo] = useState(preview ?? photoOf(prediction))
  const scene = useMemo(() => sceneOf(prediction), [prediction])
  const live = isLive(prediction)
  const done = prediction.status === 'succeeded'
  return (
    <Stage
      photo={photo}
      aspect={scene ? scene.facts.photo.width / scene.facts.photo.height : null}
      mode={ready ? 'scene' : done ? 'photo' : 'waiting'}
      below={
        <>
          {done && <Result prediction={prediction} file={file} viewer={viewer} />}
          <Account prediction={prediction} />
        </>
      }
    >
      {live && (
        <Progress
          prediction={prediction}
          since={Date.parse(prediction.created_at)}
          connected={connected}
          onCancel={async () => void (await cancelPrediction(prediction.id))}
        />
      )}
      {scene && <Viewer key={scene.sha256} url={scene.url} facts={scene.facts} onReady={onReady} ref={viewer} />}
      {!live && !done && (
        <Failure trouble={troubleOf(prediction)} onRetry={photo === null ? null : onRetry} onNew={onNew} />
      )}
    </Stage>
  )
}

/** What the viewer needs of a finished prediction; null where there is nothing that it could show. */
function sceneOf(prediction: Prediction): { url: string; sha256: string; facts: SplatFacts } | null {
  const { output } = prediction.surefoot
  const url = fileOf(prediction)
  if (output === null || url === null || !isSplat(output)) return null
  return { url, sha256: output.sha256, facts: splatFacts(output) }
}
