/** Surefoot in a Next.js app (App Router): one route of the app's own, and one that mounts the whole API. */
export type { Visitor } from './http/context.ts'
export type { Authorize } from './http/mount.ts'
export {
  createProcessRoute,
  type ProcessError,
  type ProcessOutput,
  type ProcessRoute,
  type ProcessRouteOptions,
  type ProcessStatus,
} from './next/process-route.ts'
export { createSurefootRoute, type SurefootRoute } from './next/surefoot-route.ts'
