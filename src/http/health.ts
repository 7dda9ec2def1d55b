import { z } from '@hono/zod-openapi'
import type { App, AppDependencies } from './context.ts'
import { refuseHttp } from './errors.ts'
import { addRoute, json } from './route.ts'

const readyWithinMs = 2_000
const ok = { 200: { description: 'Yes.', content: json(z.object({ status: z.literal('ok') })) } }

/** `/healthz` tells that the process answers; `/readyz` that its store does, within 2 s. */
export function addHealth(app: App, { store, clock }: AppDependencies): void {
  addRoute(app, { method: 'get', path: '/healthz', summary: 'Is the process alive?', responses: ok }, c =>
    c.json({ status: 'ok' }),
  )
  addRoute(app, { method: 'get', path: '/readyz', summary: 'Does the store answer?', responses: ok }, async c => {
    let stopTimer = () => {}
    const timeout = new Promise<false>(resolve => {
      stopTimer = clock.after(readyWithinMs, () => resolve(false))
    })
    const answers = store.now().then(
      () => true,
      () => false,
    )
    const ready = await Promise.race([answers, timeout])
    stopTimer()
    return ready ? c.json({ status: 'ok' }) : refuseHttp('not_ready', 'The store does not answer.')
  })
}
