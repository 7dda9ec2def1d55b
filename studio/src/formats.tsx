import type { Derivative } from './api.ts'
import { isPlainClick } from './plain-click.ts'
import { useDownload } from './use-download.ts'

export interface FormatsProps {
  readonly prediction: string
  readonly derivatives: readonly Derivative[]
}

/** The result in other formats, each made by the gateway when it is asked for. Plain links, for whoever copies them. */
export function Formats({ prediction, derivatives }: FormatsProps) {
  const { download, start } = useDownload(prediction)
  return (
    <details className="account formats">
      <summary>Other formats</summary>
      <ol>
        {derivatives.map(({ name, label, url }) => {
          const own = download?.name === name ? download : null
          return (
            <li key={name}>
              <a
                href={url}
                download={name}
                aria-busy={own?.state === 'making' || undefined}
                onClick={event => {
                  if (!isPlainClick(event)) return
                  event.preventDefault()
                  start(name)
                }}
              >
                {name}
              </a>
              <span className="quiet">{label}</span>
            </li>
          )
        })}
      </ol>
      <p className="quiet" role="status">
        {download?.state === 'making' && `${download.name} is being made: ${download.words} …`}
        {download?.state === 'failed' && download.words}
      </p>
    </details>
  )
}
