import type { Orbit } from './orbit.ts'

/**
 * Mouse, touch, pen, wheel and keys on one element, turned into orbit movements. A drag across the whole element goes from
 * one edge of the allowed movement to the other. Returns a function that lets go of the element.
 */
export function attachGestures(element: HTMLElement, orbit: Orbit, changed: () => void): () => void {
  const abort = new AbortController()
  const options = { signal: abort.signal }
  const pointers = new Map<number, { x: number; y: number }>()
  const act = (move: (now: number) => unknown) => {
    move(performance.now() / 1000)
    changed()
  }

  element.addEventListener(
    'pointerdown',
    event => {
      if (event.button !== 0) return
      element.setPointerCapture(event.pointerId)
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY })
      element.dataset.dragging = ''
    },
    options,
  )
  element.addEventListener(
    'pointermove',
    event => {
      const before = pointers.get(event.pointerId)
      if (!before) return
      const after = { x: event.clientX, y: event.clientY }
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1]
      pointers.set(event.pointerId, after)
      if (other) {
        const spread =
          Math.hypot(after.x - other.x, after.y - other.y) - Math.hypot(before.x - other.x, before.y - other.y)
        act(now => orbit.approach((2 * spread) / element.clientWidth, now))
      } else {
        const right = (-2.4 * (after.x - before.x)) / element.clientWidth
        const up = (2.4 * (after.y - before.y)) / element.clientHeight
        act(now => orbit.turn(right, up, now))
      }
    },
    options,
  )
  for (const type of ['pointerup', 'pointercancel', 'lostpointercapture'] as const)
    element.addEventListener(
      type,
      event => {
        pointers.delete(event.pointerId)
        if (pointers.size === 0) delete element.dataset.dragging
      },
      options,
    )

  element.addEventListener('dblclick', () => act(now => orbit.reset(now)), options)
  element.addEventListener(
    'wheel',
    event => {
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 16 : event.deltaY
      // At the end of the way the wheel belongs to the page again: nobody is caught in the scene.
      if (orbit.approach(-pixels / 600, performance.now() / 1000)) event.preventDefault()
      changed()
    },
    { ...options, passive: false },
  )
  element.addEventListener(
    'keydown',
    event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const move = keys[event.key]
      if (!move) return
      event.preventDefault()
      act(now => move(orbit, now))
    },
    options,
  )
  return () => abort.abort()
}

const step = 0.25
const keys: { [key: string]: (orbit: Orbit, now: number) => unknown } = {
  ArrowLeft: (orbit, now) => orbit.turn(-step, 0, now),
  ArrowRight: (orbit, now) => orbit.turn(step, 0, now),
  ArrowUp: (orbit, now) => orbit.turn(0, step, now),
  ArrowDown: (orbit, now) => orbit.turn(0, -step, now),
  '+': (orbit, now) => orbit.approach(step, now),
  '=': (orbit, now) => orbit.approach(step, now),
  '-': (orbit, now) => orbit.approach(-step, now),
}
