import { after } from 'next/server'
import { createSurefootRoute } from 'surefoot/next'
import { surefoot } from '../../../../surefoot'
import { authorize } from '../../../../visitor'

/** The whole API: uploads, events, providers' webhooks, `POST tick` for cron. */
export const { GET, HEAD, POST, PUT, DELETE, OPTIONS } = createSurefootRoute(surefoot, { authorize, after })
