import { SparkRenderer, SplatFileType, SplatMesh } from '@sparkjsdev/spark'
import { PerspectiveCamera, Scene, WebGLRenderer } from 'three'
import { coverFov, type Depths, eyeAt, orbitLimits, type PhotoCamera } from './camera.ts'
import { attachGestures } from './gestures.ts'
import { createOrbit } from './orbit.ts'
import { createPace } from './pace.ts'

/** A splat file on a canvas. Draws only when the picture would change. */
export interface SplatScene {
  /** Eases back to where the photo was taken. */
  reset(): void
  /** Whether the idle sway may run. */
  allowSway(allowed: boolean): void
  /** Frees every GPU resource and the WebGL context; the canvas cannot be used again. */
  dispose(): void
}

export interface SceneOptions {
  readonly canvas: HTMLCanvasElement
  /** Receives drags and keys; its size is the picture's size. */
  readonly stage: HTMLElement
  readonly url: string
  readonly photo: PhotoCamera
  readonly depths: Depths
  readonly sway: boolean
  readonly signal: AbortSignal
  /** Bytes so far; `total` is null where the server does not say. */
  onProgress(loaded: number, total: number | null): void
  /** The WebGL context was taken away (a driver crash, too many pages); nothing is drawn any more. */
  onLost(): void
}

/** Why a scene cannot be shown. `webgl`: this browser has no WebGL 2. `file`: it could not be read. */
export class SceneError extends Error {
  readonly kind: 'webgl' | 'file'

  constructor(kind: 'webgl' | 'file', cause: unknown) {
    super(kind, { cause })
    this.name = 'SceneError'
    this.kind = kind
  }
}

/**
 * Loads a splat `.ply` and shows it from exactly where its photo was taken. Answers once the first picture is drawn; fails
 * with `SceneError`. Draws on demand; sways only where the GPU keeps up.
 */
export async function createScene(options: SceneOptions): Promise<SplatScene> {
  const { canvas, stage, photo, signal } = options
  const renderer = createRenderer(canvas)
  const limits = orbitLimits(photo, options.depths)
  const orbit = createOrbit(limits)
  const camera = new PerspectiveCamera(50, 1, 0.05, 2000)
  const scene = new Scene()
  const pace = createPace(renderer.getContext() as WebGL2RenderingContext)
  const coarse = matchMedia('(pointer: coarse)').matches
  // Phones draw splats out to 2.2 standard deviations instead of 2.8: hardly visible, a third fewer pixels.
  const spark = new SparkRenderer({ renderer, onDirty: redraw, ...(coarse ? { maxStdDev: Math.sqrt(5) } : {}) })
  scene.add(spark)
  const observer = new ResizeObserver(resize)
  const detach = attachGestures(stage, orbit, redraw)
  canvas.addEventListener('webglcontextlost', options.onLost)
  let mesh: SplatMesh | null = null
  let frame = 0
  let dirty = true
  let disposed = false
  let swayWanted = options.sway
  const picture = Promise.withResolvers<void>()
  let pictureIs: 'missing' | 'submitted' | 'shown' = 'missing'

  function redraw(): void {
    dirty = true
    if (!disposed) frame ||= requestAnimationFrame(draw)
  }
  function draw(milliseconds: number): void {
    frame = 0
    if (pace.isBusy()) {
      frame = requestAnimationFrame(draw)
      return
    }
    if (pictureIs === 'submitted') {
      pictureIs = 'shown'
      picture.resolve()
    }
    orbit.allowSway(swayWanted && !pace.isSlow())
    const { view, moving } = orbit.advance(milliseconds / 1000)
    if (moving || dirty) {
      dirty = false
      camera.position.set(...eyeAt(view, limits))
      camera.lookAt(0, 0, -limits.focus)
      renderer.render(scene, camera)
      pace.submitted()
      // Spark sorts the splats in a worker; before that it draws nothing.
      if (pictureIs === 'missing' && spark.activeSplats > 0) pictureIs = 'submitted'
    }
    if (moving || pictureIs === 'submitted') frame ||= requestAnimationFrame(draw)
  }
  function resize(): void {
    const { clientWidth: width, clientHeight: height } = stage
    if (width === 0 || height === 0) return
    renderer.setPixelRatio(Math.min(devicePixelRatio, coarse ? 1.5 : 2))
    renderer.setSize(width, height, false)
    camera.aspect = width / height
    camera.fov = coverFov(photo, camera.aspect)
    camera.updateProjectionMatrix()
    redraw()
  }
  function dispose(): void {
    disposed = true
    cancelAnimationFrame(frame)
    observer.disconnect()
    detach()
    canvas.removeEventListener('webglcontextlost', options.onLost)
    mesh?.dispose()
    spark.dispose()
    renderer.dispose()
    // Once for the page, however many scenes it has had.
    addEventListener('unhandledrejection', ignoreLostRead)
    // A page may hold about sixteen contexts; without this the browser keeps ours until it collects garbage.
    renderer.forceContextLoss()
  }

  try {
    mesh = await loadMesh(options)
    signal.throwIfAborted()
    scene.add(mesh)
    resize()
    observer.observe(stage)
    signal.addEventListener('abort', () => picture.reject(signal.reason))
    await picture.promise
  } catch (error) {
    dispose()
    throw error
  }
  return {
    reset() {
      orbit.reset(performance.now() / 1000)
      redraw()
    },
    allowSway(allowed) {
      swayWanted = allowed
      redraw()
    },
    dispose,
  }
}

/**
 * Spark reads the splats' order back from the GPU. With the context a read that is under way ends, seconds later on a
 * slow machine, as a rejection of three.js's that has no reason and that Spark leaves to the page's console.
 */
function ignoreLostRead(event: PromiseRejectionEvent): void {
  if (event.reason === undefined) event.preventDefault()
}

async function loadMesh(options: SceneOptions): Promise<SplatMesh> {
  const source = await openFile(options)
  const mesh = new SplatMesh({
    fileType: SplatFileType.PLY,
    fileName: 'scene.ply',
    stream: source.stream,
    ...(source.bytes === null ? {} : { streamLength: source.bytes }),
  })
  // SHARP's axes are x right, y down, z forward; half a turn about x makes them three's.
  mesh.quaternion.set(1, 0, 0, 0)
  try {
    return await mesh.initialized
  } catch (error) {
    mesh.dispose()
    throw new SceneError('file', source.failed() ?? error)
  }
}

function createRenderer(canvas: HTMLCanvasElement): WebGLRenderer {
  try {
    return new WebGLRenderer({ canvas, antialias: false, alpha: true })
  } catch (cause) {
    throw new SceneError('webgl', cause)
  }
}

/**
 * The file as a stream that never breaks: Spark's worker waits for ever on a stream that errors, so a cut or aborted
 * download ends early instead (the decoder then refuses the short file) and `failed` tells why.
 */
async function openFile(options: SceneOptions): Promise<{
  stream: ReadableStream<Uint8Array>
  bytes: number | null
  failed(): unknown
}> {
  const response = await fetch(options.url, { signal: options.signal })
  if (!response.ok || !response.body) throw new SceneError('file', new Error(`Status ${response.status}`))
  const length = Number(response.headers.get('content-length'))
  const total = length > 0 ? length : null
  const reader = response.body.getReader()
  let loaded = 0
  let failure: unknown = null
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read()
        if (done) return controller.close()
        loaded += value.byteLength
        options.onProgress(loaded, total)
        controller.enqueue(value)
      } catch (error) {
        failure = error
        controller.close()
      }
    },
  })
  return { stream, bytes: total, failed: () => failure }
}
