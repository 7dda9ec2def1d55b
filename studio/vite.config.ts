import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/**
 * The page is served by the gateway from `studio/dist` under a strict content policy: nothing inline, nothing from
 * elsewhere. In development `vite studio` passes API calls on to a gateway on its default port.
 */
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // three and Spark (with its WebAssembly inlined) are one lazy chunk that nothing on first paint waits for.
    chunkSizeWarningLimit: 4000,
  },
  server: { proxy: { '/v1': process.env.SUREFOOT_URL ?? 'http://127.0.0.1:8787' } },
})
