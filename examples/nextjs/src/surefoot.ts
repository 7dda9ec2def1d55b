import { createSurefoot } from 'surefoot'

/** One for both routes. It opens nothing until the first request. */
export const surefoot = createSurefoot()
