import { createSurefoot } from 'surefoot'
import { createProcessRoute } from 'surefoot/next'

export const { POST, GET } = createProcessRoute(createSurefoot(), { model: 'surefoot/relief' })
