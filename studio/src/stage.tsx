import { type CSSProperties, type ReactNode, useState } from 'react'

export interface StageProps {
  /** Address of the photo; null where there is none. */
  readonly photo: string | null
  /** Width / height of the photo, where known before it is loaded. */
  readonly aspect: number | null
  /** `photo`: the photo itself. `waiting`: dimmed beneath a panel. `scene`: a blurred backdrop behind the scene. */
  readonly mode: 'photo' | 'waiting' | 'scene'
  readonly children: ReactNode
  /** Shown beneath, as wide as the frame. */
  readonly below?: ReactNode
}

const narrowest = 3 / 4
const widest = 16 / 9

/**
 * The frame in which the photo waits and then becomes a scene. It takes the photo's own shape, within limits that fit a
 * screen, and crops the photo as the scene's camera does, so that the one fades into the other without a jump.
 */
export function Stage({ photo, aspect, mode, children, below }: StageProps) {
  const [measured, setMeasured] = useState<{ photo: string | null; aspect: number } | null>(null)
  const known = aspect ?? (measured?.photo === photo ? measured.aspect : null) ?? 4 / 3
  const shape = Math.min(widest, Math.max(narrowest, known))
  return (
    <div className="exhibit" style={{ '--aspect': shape.toFixed(4) } as CSSProperties}>
      <div className="stage" data-mode={mode}>
        {photo !== null && (
          <img
            key={photo}
            className="stage-photo"
            src={photo}
            alt=""
            draggable={false}
            onLoad={event => {
              const { naturalWidth, naturalHeight } = event.currentTarget
              if (naturalHeight > 0) setMeasured({ photo, aspect: naturalWidth / naturalHeight })
            }}
            onError={event => {
              event.currentTarget.hidden = true
            }}
          />
        )}
        {children}
      </div>
      {below}
    </div>
  )
}
