import { z } from '@hono/zod-openapi'
import { migrationActions } from '../core/migration.ts'
import type { App, AppDependencies } from './context.ts'
import { migrationSchema, migrationsSchema } from './migration-schemas.ts'
import type { MigrationsJson } from './migration-shapes.ts'
import { toMigrationView } from './migration-view.ts'
import { addRoute, json } from './route.ts'

const actionParams = z.object({ owner: z.string(), name: z.string(), action: z.enum(migrationActions) })

/** Migrations of models between deployments: where they stand, and what a person may do about that. */
export function addMigrations(app: App, { engine }: Pick<AppDependencies, 'engine'>): void {
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/migrations',
      summary: 'Where each configured migration stands, and what it waits for',
      responses: { 200: { description: 'The migrations.', content: json(migrationsSchema) } },
    },
    async c => {
      const [reports, deployments] = await Promise.all([engine.migrations(), engine.report()])
      return c.json({ migrations: reports.map(each => toMigrationView(each, deployments)) } satisfies MigrationsJson)
    },
  )
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/migrations/{owner}/{name}/{action}',
      summary: 'Pause, resume, advance or roll back the migration of a model; 409 where that cannot be done',
      params: actionParams,
      responses: { 200: { description: 'The migration.', content: json(migrationSchema) } },
    },
    async (c, { params: { owner, name, action } }) =>
      c.json(toMigrationView(await engine.migrate(`${owner}/${name}`, action), await engine.report())),
  )
}
