import { type Ref, useEffect, useImperativeHandle, useRef, useState } from 'react'
import type { SplatFacts } from './facts.ts'
import { formatBytes, formatPercent } from './format.ts'
import type { SplatScene } from './scene.ts'

export interface ViewerProps {
  readonly url: string
  readonly facts: SplatFacts
  /** Called once the first picture is there. */
  readonly onReady: () => void
  readonly ref: Ref<ViewerHandle>
}

export interface ViewerHandle {
  /** Back to where the photo was taken. */
  reset(): void
}

type State = { kind: 'loading'; words: string } | { kind: 'ready' } | { kind: 'broken'; words: string }

const broken = {
  webgl: 'This browser has no WebGL 2, so the scene cannot be shown here. You can still download the file.',
  file: 'The scene could not be loaded. You can still try to download the file.',
  lost: 'The graphics driver gave up on this scene. Reload the page to see it again; the file is unharmed.',
}

/** Fetches three and Spark, which nothing before the first result needs. */
export function preloadViewer(): void {
  import('./scene.ts').catch(() => {})
}

/** A scene to look around in. A canvas cannot be used for two scenes: give each its own `key`. */
export function Viewer({ url, facts, onReady, ref }: ViewerProps) {
  const stage = useRef<HTMLDivElement>(null)
  const scene = useRef<SplatScene | null>(null)
  const [state, setState] = useState<State>({ kind: 'loading', words: 'Loading the viewer' })
  useImperativeHandle(ref, () => ({ reset: () => scene.current?.reset() }), [])

  useEffect(() => {
    const element = stage.current
    if (!element) return
    const abort = new AbortController()
    // Its own canvas for each run: once a context was given away, a canvas has no other.
    const canvas = document.createElement('canvas')
    element.append(canvas)
    const stillness = matchMedia('(prefers-reduced-motion: reduce)')

    async function open(): Promise<void> {
      try {
        const { createScene } = await import('./scene.ts')
        abort.signal.throwIfAborted()
        const opened = await createScene({
          canvas,
          stage: element as HTMLDivElement,
          url,
          photo: facts.photo,
          depths: facts.depths,
          sway: !stillness.matches,
          signal: abort.signal,
          onProgress(loaded, total) {
            const part = total === null ? formatBytes(loaded) : formatPercent(loaded / total)
            const words = loaded === total ? 'Drawing the scene' : `Loading the scene, ${part}`
            setState({ kind: 'loading', words })
          },
          onLost: () => setState({ kind: 'broken', words: broken.lost }),
        })
        if (abort.signal.aborted) return opened.dispose()
        scene.current = opened
        setState({ kind: 'ready' })
        onReady()
      } catch (error) {
        if (abort.signal.aborted) return
        const kind = error instanceof Error && error.message === 'webgl' ? 'webgl' : 'file'
        setState({ kind: 'broken', words: broken[kind] })
      }
    }
    void open()
    stillness.addEventListener('change', () => scene.current?.allowSway(!stillness.matches), { signal: abort.signal })
    document.addEventListener(
      'keydown',
      event => {
        if (event.key.toLowerCase() !== 'r' || event.ctrlKey || event.metaKey || event.altKey) return
        if (event.target instanceof Element && event.target.closest('input:not([type=file]), select, textarea')) return
        scene.current?.reset()
      },
      { signal: abort.signal },
    )
    return () => {
      abort.abort()
      scene.current?.dispose()
      scene.current = null
      canvas.remove()
    }
  }, [url, facts, onReady])

  return (
    <>
      <div
        ref={stage}
        className="viewer"
        data-state={state.kind}
        role="application"
        tabIndex={state.kind === 'ready' ? 0 : -1}
        aria-label="The scene. Arrow keys look around, plus and minus move closer and back, R goes back to where the photo was taken."
        aria-keyshortcuts="ArrowLeft ArrowRight ArrowUp ArrowDown + - R"
      />
      {state.kind !== 'ready' && (
        <p className="viewer-words" role={state.kind === 'broken' ? 'alert' : undefined}>
          {state.words}
        </p>
      )}
      <p className="visually-hidden" role="status">
        {state.kind === 'ready' ? 'The scene is ready.' : ''}
      </p>
    </>
  )
}
