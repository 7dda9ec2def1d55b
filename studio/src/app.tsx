import { useCallback, useEffect, useRef, useState } from 'react'
import { fileOf, getPrediction, isLive, listModels, type Model, type Prediction, photoOf } from './api.ts'
import { Compare } from './compare.tsx'
import { DropZone, nameOf } from './drop-zone.tsx'
import { Failure, troubleFrom } from './failure.tsx'
import { fileName, formatStage } from './format.ts'
import { HistoryList } from './history.tsx'
import { isPlainClick } from './plain-click.ts'
import { Progress } from './progress.tsx'
import { Shown } from './shown.tsx'
import { Stage } from './stage.tsx'
import { addressOf, type Place, useAddress } from './use-address.ts'
import { useHistory } from './use-history.ts'
import { usePhotoDrop } from './use-photo-drop.ts'
import { usePrediction } from './use-prediction.ts'
import { useSending } from './use-sending.ts'
import { preloadViewer } from './viewer.tsx'

/** The whole page: one photo at a time in the middle, everything before it beside. */
export function App() {
  const [place, go] = useAddress()
  const id = place === null || place === 'compare' ? null : place.prediction
  const [models, setModels] = useState<readonly Model[]>([])
  const [model, setModel] = useState('surefoot/relief')
  const [note, setNote] = useState<string | null>(null)
  // Photos sent from here are shown at once, without a round trip.
  const previews = useRef(new Map<string, string>())
  const history = useHistory()
  const { update } = history
  const created = useCallback(
    (prediction: Prediction, preview: string) => {
      previews.current.set(prediction.id, preview)
      update(prediction)
      go({ prediction: prediction.id })
    },
    [update, go],
  )
  const { sending, send, stop } = useSending(created)
  const { prediction, error, connected } = usePrediction(sending === null ? id : null)

  useEffect(() => {
    listModels().then(
      ({ results }) => {
        const [first] = results
        setModels(results)
        setModel(chosen => (first && !results.some(item => nameOf(item) === chosen) ? nameOf(first) : chosen))
      },
      () => {},
    )
  }, [])
  useEffect(() => {
    if (prediction) update(prediction)
    document.title = prediction && isLive(prediction) ? `${formatStage(prediction)} · Surefoot` : 'Surefoot'
  }, [prediction, update])

  const open = (to: Place) => {
    stop()
    setNote(null)
    go(to)
  }
  const take = useCallback(
    (photo: File) => {
      preloadViewer()
      setNote(null)
      void send(photo, model)
    },
    [send, model],
  )
  const over = usePhotoDrop(take)
  const retry = async (failed: Prediction) => {
    const photo = await fetchPhoto(failed, previews.current.get(failed.id))
    if (photo) return send(photo, failed.model)
    open(null)
    setNote('That photo is not kept here any more; choose it again.')
  }

  // What was focused may be gone with the last view; keyboards and screen readers go on from the new one.
  const main = useRef<HTMLElement>(null)
  const view = sending !== null ? 'sending' : place === 'compare' ? place : id
  const focused = useRef(view)
  useEffect(() => {
    if (view !== focused.current && document.activeElement === document.body)
      main.current?.focus({ preventScroll: true })
    focused.current = view
  }, [view])

  const comparing = place === 'compare' && sending === null

  function content() {
    if (sending !== null)
      return (
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
      )
    if (place === 'compare') return <Compare />
    if (id === null)
      return <DropZone models={models} model={model} onModel={setModel} onPhoto={take} over={over} note={note} />
    if (prediction)
      return (
        <Shown
          key={prediction.id}
          prediction={prediction}
          preview={previews.current.get(prediction.id) ?? null}
          file={fileOf(history.items?.find(item => item.id === prediction.id) ?? prediction)}
          connected={connected}
          onRetry={() => void retry(prediction)}
          onNew={() => open(null)}
        />
      )
    return (
      <Stage photo={previews.current.get(id) ?? null} aspect={null} mode="waiting">
        {error && <Failure trouble={troubleFrom(error)} onRetry={null} onNew={() => open(null)} />}
        {!connected && <p className="viewer-words">The gateway cannot be reached; trying again.</p>}
      </Stage>
    )
  }

  return (
    <div className="page" data-over={over || undefined} data-wide={comparing || undefined}>
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
        <nav className="places" aria-label="Pages">
          <a
            href={addressOf('compare')}
            aria-current={comparing ? 'page' : undefined}
            onClick={event => {
              if (!isPlainClick(event)) return
              event.preventDefault()
              open('compare')
            }}
          >
            Compare
          </a>
          {(place !== null || sending !== null) && (
            <button type="button" className="button" onClick={() => open(null)}>
              New photo
            </button>
          )}
        </nav>
      </header>
      <main ref={main} tabIndex={-1}>
        {content()}
      </main>
      {!comparing && (
        <HistoryList
          history={history}
          selected={sending === null ? id : null}
          onSelect={to => open({ prediction: to })}
        />
      )}
    </div>
  )
}

/** The photo of a prediction, once more: as this page still has it, else as the gateway keeps it. Null when it is gone. */
async function fetchPhoto(prediction: Prediction, preview: string | undefined): Promise<File | null> {
  try {
    const address = preview ?? photoOf(await getPrediction(prediction.id))
    const response = address === null ? null : await fetch(address)
    if (!response?.ok) return null
    const bytes = await response.blob()
    return new File([bytes], fileName(photoOf(prediction)), { type: bytes.type })
  } catch {
    return null
  }
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
