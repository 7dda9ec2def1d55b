import { createElement, type ReactNode, StrictMode, useState } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { createClient } from '../../src/client.ts'
import { type Run, type ShownPrediction, usePrediction, useRun } from '../../src/react.ts'

const client = createClient({ url: '' })

/** Two components that follow the same prediction, and buttons to follow another one and to look away. */
function Pair(): ReactNode {
  const [id, setId] = useState<string | null>('p1')
  const [shown, setShown] = useState(2)
  return createElement(
    'main',
    null,
    button('p1', () => setId('p1')),
    button('p2', () => setId('p2')),
    button('none', () => setId(null)),
    button('fewer', () => setShown(shown - 1)),
    shown > 0 && createElement(Follower, { name: 'first', id }),
    shown > 1 && createElement(Follower, { name: 'second', id }),
  )
}

function Follower({ name, id }: { readonly name: string; readonly id: string | null }): ReactNode {
  const shown = usePrediction(id, { client })
  return createElement('p', { id: name }, toText(shown), button(`cancel ${name}`, shown.cancel))
}

/** What an app's own page does with a photo. */
function Runner(): ReactNode {
  const [created, setCreated] = useState<string[]>([])
  const shown = useRun({ client, model: 'acme/sketch', onCreate: id => setCreated(before => [...before, id]) })
  return createElement(
    'main',
    null,
    createElement('input', {
      type: 'file',
      onChange: ({ target }: { readonly target: { readonly files: ArrayLike<Blob> } }) => {
        const [image] = Array.from(target.files)
        // As a form that is sent by two handlers.
        void shown.run({ image })
        void shown.run({ image })
      },
    }),
    button('cancel', shown.cancel),
    createElement('p', { id: 'run' }, toText(shown)),
    createElement('p', { id: 'created' }, created.join()),
    shown.output && createElement('a', { href: shown.output.url }, `${shown.output.name}, ${shown.output.bytes}`),
  )
}

function toText({ status, stage, fraction, error, isLive, ...more }: ShownPrediction | Run): string {
  const id = 'id' in more && more.id !== null ? `${more.id} ` : ''
  return `${id}${status} ${stage} ${fraction} ${error?.code ?? 'well'} ${isLive ? 'live' : 'still'}`
}

function button(name: string, onClick: () => unknown): ReactNode {
  return createElement('button', { key: name, type: 'button', onClick: () => void onClick() }, name)
}

export function App({ page }: { readonly page: string }): ReactNode {
  return createElement(StrictMode, null, createElement(page === '/run' ? Runner : Pair))
}

// In the browser; the server only renders.
if ('document' in globalThis) {
  const { document, location } = globalThis as unknown as {
    readonly document: { getElementById(id: string): Element }
    readonly location: { readonly pathname: string }
  }
  hydrateRoot(document.getElementById('root'), createElement(App, { page: location.pathname }))
}
