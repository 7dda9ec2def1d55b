import { z } from '@hono/zod-openapi'
import type { App, AppDependencies } from './context.ts'
import { refuseHttp } from './errors.ts'
import { addRoute, json } from './route.ts'

const readyWithinMs = 2_000
const ok = { 200: { description: 'Yes.', content: json(z.object({ status: z.literal('ok') })) } }
const noAnswer = 'The store does not answer.'

/**
 * `/healthz` tells that the process answers. `/readyz` tells that new work can come here: it answers 503 with the reason
 * where the server is about to end, the store does not answer within 2 s, or the engine says what is in the way.
 */
export function addHealth(
  app: App,
  {
    engine,
    store,
    clock,
    leaving,
    closing,
  }: Pick<AppDependencies, 'engine' | 'store' | 'clock' | 'leaving' | 'closing'>,
): void {
  async function findObstacle(): Promise<string | null> {
    await store.now()
    return await engine.obstacle()
  }

  addRoute(app, { method: 'get', path: '/healthz', summary: 'Is the process alive?', responses: ok }, c =>
    c.json({ status: 'ok' }),
  )
  addRoute(app, { method: 'get', path: '/readyz', summary: 'Can new work come here?', responses: ok }, async c => {
    if (leaving?.aborted || closing?.aborted) refuseHttp('not_ready', 'The server is about to end.')
    let stopTimer = () => {}
    const timeout = new Promise<string>(resolve => {
      stopTimer = clock.after(readyWithinMs, () => resolve(noAnswer))
    })
    const obstacle = await Promise.race([findObstacle().catch(() => noAnswer), timeout])
    stopTimer()
    return obstacle === null ? c.json({ status: 'ok' }) : refuseHttp('not_ready', obstacle)
  })
}
