import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import {
  cancelPrediction,
  createPrediction,
  fileOf,
  isLive,
  listModels,
  type Model,
  type Prediction,
  photoOf,
} from './api.ts'
import { DropZone, nameOf } from './drop-zone.tsx'
import { isSplat, type SplatFacts, splatFacts } from './facts.ts'
import { Failure, type Trouble, troubleFrom, troubleOf } from './failure.tsx'
import { fileName, formatStage } from './format.ts'
import { HistoryList } from './history.tsx'
import { Progress } from './progress.tsx'
import { Result } from './result.tsx'
import { Stage } from './stage.tsx'
import { useAddress } from './use-address.ts'
import { useHistory } from './use-history.ts'
import { usePhotoDrop } from './use-photo-drop.ts'
import { usePrediction } from './use-prediction.ts'
import { preloadViewer, Viewer, type ViewerHandle } from './viewer.tsx'

/** A photo on its way to the gateway; no prediction has it yet. */
interface Sending {
  readonly photo: File
  readonly preview: string
  readonly since: number
  readonly abort: AbortController
  readonly trouble: Trouble | null
}

const defaultModel = 'surefoot/relief'

/** The whole page: one photo at a time in the middle, everything before it beside. */
export function App() {
  const [id, go] = useAddress()
  const [models, setModels] = useState<readonly Model[]>([])
  const [model, setModel] = useState(defaultModel)
  const [sending, setSending] = useState<Sending | null>(null)
  // Previews of photos sent from here: shown at once, without a round trip.
  const previews = useRef(new Map<string, string>())
  const history = useHistory()
  const watched = usePrediction(sending === null ? id : null)
  const { prediction } = watched

  useEffect(() => {
    listModels().then(
      ({ results }) => {
        setModels(results)
        setModel(chosen =>
          results.some(item => nameOf(item) === chosen)
            ? chosen
            : nameOf(results[0] ?? { owner: 'surefoot', name: 'relief', description: null }),
        )
      },
      () => {},
    )
  }, [])

  const { update } = history
  useEffect(() => {
    if (prediction) update(prediction)
  }, [prediction, update])

  const send = useCallback(
    async (photo: File, to: string) => {
      const preview = URL.createObjectURL(photo)
      const abort = new AbortController()
      const begun: Sending = { photo, preview, since: Date.now(), abort, trouble: null }
      setSending(before => {
        before?.abort.abort()
        return begun
      })
      preloadViewer()
      try {
        const created = await createPrediction(to, photo, abort.signal)
        previews.current.set(created.id, preview)
        update(created)
        go(created.id)
        setSending(null)
      } catch (error) {
        if (abort.signal.aborted) return
        setSending(before => (before === begun ? { ...begun, trouble: troubleFrom(error) } : before))
      }
    },
    [go, update],
  )
  const take = useCallback((photo: File) => void send(photo, model), [send, model])
  const over = usePhotoDrop(take)

  const open = (to: string | null) => {
    sending?.abort.abort()
    setSending(null)
    go(to)
  }
  const retry = async (failed: Prediction) => {
    const address = photoOf(failed)
    if (address === null) return
    const response = await fetch(previews.current.get(failed.id) ?? address).catch(() => null)
    if (!response?.ok) return open(null)
    const bytes = await response.blob()
    await send(new File([bytes], fileName(address), { type: bytes.type }), failed.model)
  }

  useEffect(() => {
    const live = prediction && isLive(prediction) ? `${formatStage(prediction)} · ` : ''
    document.title = `${live}Surefoot`
  }, [prediction])

  // What was focused may be gone with the last view; keyboards and screen readers go on from the new one.
  const main = useRef<HTMLElement>(null)
  const view = sending === null ? id : 'sending'
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the view changes.
  useEffect(() => {
    if (document.activeElement === document.body) main.current?.focus({ preventScroll: true })
  }, [view])

  return (
    <div className="page" data-over={over || undefined}>
      <header>
        <h1>
          <a
            href="./"
            onClick={event => {
              event.preventDefault()
              open(null)
            }}
          >
            <Mark /> Surefoot
          </a>
        </h1>
        {(id !== null || sending !== null) && (
          <button type="button" className="button" onClick={() => open(null)}>
            New photo
          </button>
        )}
      </header>
      <main ref={main} tabIndex={-1}>
        {sending !== null ? (
          <Stage photo={sending.preview} aspect={null} mode="waiting">
            {sending.trouble ? (
              <Failure
                trouble={sending.trouble}
                onRetry={() => void send(sending.photo, model)}
                onNew={() => open(null)}
              />
            ) : (
              <Progress prediction={null} since={sending.since} connected onCancel={async () => open(null)} />
            )}
          </Stage>
        ) : id === null ? (
          <DropZone models={models} model={model} onModel={setModel} onPhoto={take} over={over} />
        ) : watched.error ? (
          <Stage photo={null} aspect={null} mode="waiting">
            <Failure trouble={troubleFrom(watched.error)} onRetry={null} onNew={() => open(null)} />
          </Stage>
        ) : prediction === null ? (
          <Stage photo={previews.current.get(id) ?? null} aspect={null} mode="waiting">
            {!watched.connected && <p className="viewer-words">The gateway cannot be reached; trying again.</p>}
          </Stage>
        ) : (
          <Shown
            key={prediction.id}
            prediction={prediction}
            preview={previews.current.get(prediction.id) ?? null}
            file={fileOf(history.items?.find(item => item.id === prediction.id) ?? prediction)}
            connected={watched.connected}
            onRetry={() => retry(prediction)}
            onNew={() => open(null)}
          />
        )}
      </main>
      <HistoryList history={history} selected={sending === null ? id : null} onSelect={open} />
    </div>
  )
}

interface ShownProps {
  readonly prediction: Prediction
  readonly preview: string | null
  /** Address of the result, renewed with the history. */
  readonly file: string | null
  readonly connected: boolean
  readonly onRetry: () => void
  readonly onNew: () => void
}

/** One prediction in whatever state it is. */
function Shown({ prediction, preview, file, connected, onRetry, onNew }: ShownProps) {
  const viewer = useRef<ViewerHandle>(null)
  const [ready, setReady] = useState(false)
  const onReady = useCallback(() => setReady(true), [])
  // Each answer signs its links anew; the first ones serve as long as the page shows them.
  const [photo] = useState(preview ?? photoOf(prediction))
  const scene = useMemo(() => sceneOf(prediction), [prediction])
  const live = isLive(prediction)
  const done = prediction.status === 'succeeded'
  return (
    <Stage
      photo={photo}
      aspect={scene ? scene.facts.photo.width / scene.facts.photo.height : null}
      mode={ready ? 'scene' : done ? 'photo' : 'waiting'}
      below={done && <Result prediction={prediction} file={file} viewer={viewer} />}
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

/** The same sign as the page's icon. */
function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M5 24 16 7l11 17" fill="none" strokeWidth="3" strokeLinejoin="round" strokeLinecap="round" />
      <circle cx="16" cy="23" r="2.75" />
    </svg>
  )
}
