import { z } from '@hono/zod-openapi'
import type { PredictionRecord } from '../core/prediction.ts'
import { describeWindow } from '../core/schedule.ts'
import type { Warmer, WarmPlan, WarmUp } from '../engine/contract.ts'
import { readJson } from './body.ts'
import type { App, AppDependencies } from './context.ts'
import { refuseHttp } from './errors.ts'
import { addRoute, json, parse } from './route.ts'
import type { WarmPlanJson, WarmPlansJson, WarmRunJson, WarmUpJson, WarmUpsJson } from './warm-shapes.ts'

const modelParams = z.object({ owner: z.string(), name: z.string() })

const estimate = { amount: z.number().nullable(), seconds: z.number(), assumptions: z.array(z.string()) }

/** `GET /v1/models/{owner}/{name}/warm`. */
export const warmPlansSchema: z.ZodType<WarmPlansJson> = z
  .object({
    deployments: z.array(
      z.object({
        deployment: z.string(),
        by: z.enum(['call', 'run']).nullable(),
        choice: z.string().nullable(),
        billed: z.boolean(),
        bills: z.array(z.enum(['boot', 'idle'])),
        estimate: z.object(estimate).nullable(),
        keep_warm: z
          .object({
            hours: z.string(),
            time_zone: z.string(),
            every_seconds: z.number(),
            open: z.boolean(),
            estimate: z.object({ ...estimate, times: z.int(), stays: z.boolean() }),
          })
          .nullable(),
        today: z.object({ runs: z.int(), cost: z.number(), unpriced: z.int() }),
        failure: z.string().nullable(),
      }),
    ),
  })
  .openapi('WarmPlans')

/** One warm-up. */
export const warmUpSchema: z.ZodType<WarmUpJson> = z
  .object({
    deployment: z.string(),
    state: z.enum(['ready', 'waking', 'asked', 'cold', 'never', 'failed']),
    message: z.string(),
    advice: z.string().nullable(),
    run: z
      .object({
        id: z.string(),
        status: z.enum(['starting', 'processing', 'succeeded', 'failed', 'canceled', 'aborted']),
        progress: z.object({ stage: z.string().nullable(), fraction: z.number().nullable() }).nullable(),
        ready_seconds: z.number().nullable(),
        seconds: z.number().nullable(),
        cost: z.object({ amount: z.number(), currency: z.literal('USD'), estimated: z.boolean() }).nullable(),
        settled: z.boolean(),
      })
      .nullable(),
  })
  .openapi('WarmUp')

const askSchema = z
  .strictObject({
    deployments: z
      .array(z.string())
      .min(1)
      .optional()
      .openapi({ description: "Deployments of the model; default: the model's first choices." }),
    run: z
      .boolean()
      .optional()
      .openapi({ description: 'Whether a small run may be started where nothing less brings a worker; default true.' }),
  })
  .openapi('Warm')

/** Warming deployments of a model ahead of use. */
export function addWarm(app: App, { engine }: Pick<AppDependencies, 'engine'>): void {
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/models/{owner}/{name}/warm',
      summary: 'How deployments of a model would be warmed, in which hours they are kept warm, and what that costs',
      params: modelParams,
      responses: { 200: { description: 'The deployments.', content: json(warmPlansSchema) } },
    },
    async (c, { params }) => c.json({ deployments: (await plansOf(engine.warmer, params)).map(toPlanView) }),
  )
  addRoute(
    app,
    {
      method: 'post',
      path: '/v1/models/{owner}/{name}/warm',
      summary: 'See to it that workers are there; repeating it while one starts changes nothing',
      params: modelParams,
      body: { content: json(askSchema) },
      responses: {
        200: {
          description: 'What was done, and whether a worker is known to be there.',
          content: json(z.object({ warmups: z.array(warmUpSchema) })),
        },
      },
    },
    async (c, { params }) => {
      const { deployments: wanted, run = true } = parse(askSchema, await readJson(c), 'body')
      const plans = await plansOf(engine.warmer, params)
      for (const name of wanted ?? [])
        if (!plans.some(({ deployment }) => deployment === name))
          refuseHttp('not_found', `${name} is not a deployment of ${params.owner}/${params.name}.`)
      const chosen = plans.filter(({ deployment, choice }) => wanted?.includes(deployment) ?? choice !== null)
      const warmups = await Promise.all(chosen.map(({ deployment }) => engine.warmer.warm(deployment, { run })))
      return c.json({ warmups: warmups.map(toWarmUpView) } satisfies WarmUpsJson)
    },
  )
  addRoute(
    app,
    {
      method: 'get',
      path: '/v1/models/{owner}/{name}/warm/{id}',
      summary: 'How far a run that warms is',
      params: modelParams.extend({ id: z.string() }),
      responses: { 200: { description: 'The warm-up.', content: json(warmUpSchema) } },
    },
    async (c, { params: { owner, name, id } }) => {
      const found = await engine.warmer.look(id)
      if (found === null || found.run?.model !== `${owner}/${name}`)
        return refuseHttp('not_found', `There is no warm-up ${id} of ${owner}/${name} here.`)
      return c.json(toWarmUpView(found))
    },
  )
}

async function plansOf(warmer: Warmer, { owner, name }: z.output<typeof modelParams>): Promise<readonly WarmPlan[]> {
  return await warmer.plan(`${owner}/${name}`)
}

function toPlanView({ keepWarm, ...plan }: WarmPlan): WarmPlanJson {
  return {
    ...plan,
    keep_warm: keepWarm && {
      hours: describeWindow(keepWarm.window),
      time_zone: keepWarm.timeZone,
      every_seconds: keepWarm.everyMs / 1000,
      open: keepWarm.isOpen,
      estimate: keepWarm.estimate,
    },
  }
}

function toWarmUpView({ run, ...rest }: WarmUp): WarmUpJson {
  return { ...rest, run: run && toRunView(run) }
}

function toRunView({
  id,
  status,
  progress,
  attempts,
  createdAt,
  completedAt,
  settledAt,
}: PredictionRecord): WarmRunJson {
  const seconds = (at: number | null | undefined) => (at == null ? null : (at - createdAt) / 1000)
  const last = attempts.at(-1)
  return {
    ...{ id, status, progress },
    ready_seconds: seconds(last?.runningAt),
    seconds: seconds(completedAt),
    cost: last?.cost ?? null,
    settled: settledAt !== null,
  }
}
