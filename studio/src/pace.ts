/**
 * Keeps one frame in flight. A slow GPU takes frames much faster than it draws them, and would answer a drag with the
 * picture of seconds ago; so the next frame waits until the last one is really done.
 */
export interface Pace {
  /** True while the last frame is still being drawn. Must be asked in a later task than `submitted`. */
  isBusy(): boolean
  /** A frame was just handed to the GPU. */
  submitted(): void
  /** True after three slow frames in a row (over 0.12 s each): software rendering, most likely. Stays true. */
  isSlow(): boolean
}

const slowFrameMs = 120
const slowFrames = 3

export function createPace(gl: WebGL2RenderingContext): Pace {
  let fence: WebGLSync | null = null
  let submittedAt = 0
  let slowInARow = 0
  let first = true

  return {
    isBusy() {
      if (fence === null || gl.isContextLost()) return false
      if (gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED) return true
      gl.deleteSync(fence)
      fence = null
      // The first frame compiles shaders and tells nothing.
      if (first) first = false
      else if (slowInARow < slowFrames) slowInARow = performance.now() - submittedAt > slowFrameMs ? slowInARow + 1 : 0
      return false
    },
    submitted() {
      if (fence !== null) gl.deleteSync(fence)
      fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0)
      gl.flush()
      submittedAt = performance.now()
    },
    isSlow: () => slowInARow >= slowFrames,
  }
}
