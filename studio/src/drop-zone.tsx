import type { Model } from './api.ts'
import { firstPhoto } from './use-photo-drop.ts'

export interface DropZoneProps {
  readonly models: readonly Model[]
  readonly model: string
  readonly onModel: (name: string) => void
  readonly onPhoto: (photo: File) => void
  /** A file is held over the page. */
  readonly over: boolean
  /** Why the page is empty again, where that needs a word. */
  readonly note: string | null
}

/** The empty page: says in one sentence what this does, and takes a photo. */
export function DropZone({ models, model, onModel, onPhoto, over, note }: DropZoneProps) {
  const chosen = models.find(item => nameOf(item) === model)
  return (
    <section className="empty" aria-labelledby="empty-title">
      <label className="drop" data-over={over || undefined}>
        <input
          className="visually-hidden"
          type="file"
          accept="image/jpeg,image/png,image/webp,image/avif,image/heic,image/heif"
          aria-label="Choose a photo"
          onChange={event => {
            const photo = firstPhoto(event.target.files)
            event.target.value = ''
            if (photo) onPhoto(photo)
          }}
        />
        <span className="corners" aria-hidden="true" />
        <h2 id="empty-title">Turn a photo into a scene you can look around in.</h2>
        <p className="drop-how">
          {over ? (
            'Let go to begin.'
          ) : (
            <>
              <span className="by-mouse">Drop one here, paste it, or </span>
              <span className="link by-mouse">choose a file</span>
              <span className="link by-touch">Choose or take a photo</span>
              <span className="by-mouse">.</span>
            </>
          )}
        </p>
        <p className="drop-note" role="status">
          {note}
        </p>
      </label>
      {models.length > 1 && (
        <div className="model">
          <label htmlFor="model">Model</label>
          <select id="model" value={model} onChange={event => onModel(event.target.value)}>
            {models.map(item => (
              <option key={nameOf(item)} value={nameOf(item)}>
                {nameOf(item)}
              </option>
            ))}
          </select>
          {chosen?.description && <p>{chosen.description}</p>}
        </div>
      )}
      {models.length === 1 && chosen?.description && <p className="model-only">{chosen.description}</p>}
    </section>
  )
}

/** `owner/name`: how the API calls a model. */
export function nameOf(model: Model): string {
  return `${model.owner}/${model.name}`
}
