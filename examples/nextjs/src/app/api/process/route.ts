import { createProcessRoute } from 'surefoot/next'
import { surefoot } from '../../../surefoot'
import { authorize } from '../../../visitor'

/** The app's own route: a photo in a form, in base64 or by the id of its upload. Its page uses the other one. */
export const { POST, GET } = createProcessRoute(surefoot, { model: 'surefoot/relief', authorize })
