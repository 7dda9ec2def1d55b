import { rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { workerData } from 'node:worker_threads'

// Runs in a thread of its own, because the child's first thread computes for half a minute without a pause. The parent
// holds the other end of standard input: when it dies, however, nobody wants the file any more.
const { folder } = workerData as { readonly folder: string }
const parent = new Socket({ fd: 0, readable: true, writable: false })
parent.on('error', () => {})
parent.on('close', () => {
  rmSync(folder, { recursive: true, force: true })
  process.kill(process.pid, 'SIGKILL')
})
parent.resume()
