import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { TokenGate } from './token-gate.tsx'
import './styles/index.css'

const root = document.getElementById('root')
if (root)
  createRoot(root).render(
    <StrictMode>
      <TokenGate>
        <App />
      </TokenGate>
    </StrictMode>,
  )
