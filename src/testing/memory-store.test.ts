import { describeStore } from './describe-store.ts'
import { createMemoryStore } from './memory-store.ts'

describeStore('in memory', async () => {
  let now = Date.UTC(2026, 0, 1)
  const store = createMemoryStore(() => now)
  return {
    store,
    async advance(ms) {
      now += ms
    },
    close: store.close,
  }
})
