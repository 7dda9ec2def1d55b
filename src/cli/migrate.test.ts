import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { MigrationJson } from '../http/migration-shapes.ts'
import type { PageJson, PredictionJson } from '../http/shapes.ts'
import { tellOut } from './migrate.ts'
import { drawMigration } from './migration-picture.ts'
import { openTerminal, type TestTerminal } from './test-support.ts'

const measured: MigrationJson['from']['measured'] = {
  samples: 100,
  won: 90,
  success: { rate: 0.9, low: 0.826, high: 0.945 },
  total: { samples: 90, p50: 8.04, p95: 130.2, p99: 140 },
  ...{
    queue: null,
    boot: null,
    run: null,
    collect: null,
    cost_per_image: 0.012_345,
    unpriced: 0,
    stalls: 5,
    restarts: 0,
  },
}
const unseen = { ...measured, samples: 0, won: 0, success: null, total: null, cost_per_image: null }
const migration: MigrationJson = {
  model: 'surefoot/sharp',
  plan: {
    from: 'sharp@modal',
    to: 'sharp@replicate',
    steps: [5, 25, 100],
    shadow: { share: 0.1, runs: 10 },
    limits: { success: 'no-worse', slower: 2, dearer: 1.5, seconds: 60, cost: 0.05, differ: 0 },
    samples: 20,
  },
  stage: 'step',
  step: 1,
  since: '2026-11-24T12:00:00.000Z',
  paused: false,
  configured: true,
  from: { deployment: 'sharp@modal', percent: 75, attempts: 30, out: null, measured },
  to: { deployment: 'sharp@replicate', percent: 25, attempts: 12, out: null, measured: unseen },
  pairs: {
    ...{ compared: 10, both: 9, only_from: 0, only_to: 1, neither: 0, differ: 0 },
    ...{ seconds: { from: 8, to: 5.5 }, cost: { from: 0.1, to: 0.05 }, latest: [] },
  },
  verdict: { kind: 'stay', why: null, missing: ['20 more attempts at sharp@replicate (0 of 20)', 'another thing'] },
  history: [{ at: '2026-11-24T12:00:00.000Z', what: '25 %', why: '20 of 20 attempts succeeded.' }],
}
const draw = (over: Partial<MigrationJson> = {}) =>
  drawMigration({ env: {}, stdout: { write() {} } }, { ...migration, ...over })

describe('the picture', () => {
  test('has the way, both deployments, pairs, limits, what is missing and what happened', () => {
    expect(draw()).toBe(
      [
        'surefoot/sharp  sharp@modal -> sharp@replicate',
        '',
        '  [x] shadow - [x] 5 % - [>] 25 % - [ ] 100 %',
        '  ██████░░░░░░░░░░░░░░░░░░  25 % are to begin at sharp@replicate, since 2026-11-24 12:00:00 UTC',
        '',
        'DEPLOYMENT       PLANNED  ATTEMPTS   SUCCEEDED                          TIME p50  p95         USD/IMAGE',
        'sharp@modal      75 %     30 (71 %)  90/100 (83-95 %), latest attempts  8.0 s     2 min 10 s  0.0123',
        'sharp@replicate  25 %     12 (29 %)  no data                            no data   no data     no data',
        '',
        'Attempts   since the stage began, where they were: first choices, failovers, pinned ones and shadow runs',
        'Pairs      10 compared: both 9, only old 0, only new 1, neither 0; 0 of 9 outputs differ; median 8.0 s old, 5.5 s new',
        'Limits     success no worse than the old one',
        '           median time at most 2 times the old one',
        '           95 % within 60 s',
        '           an image at most 1.5 times as dear',
        '           an image at most 0.05 USD',
        '           no pair of outputs differs',
        'Waits for  20 more attempts at sharp@replicate (0 of 20)',
        '           another thing',
        '',
        'History',
        '2026-11-24 12:00:00  25 %  20 of 20 attempts succeeded.',
        '',
      ].join('\n'),
    )
  })

  test.each<[string, Partial<MigrationJson>, RegExp]>([
    ['the shadow stage', { stage: 'shadow', step: null }, /\[>\] shadow - \[ \] 5 % - \[ \] 25 % - \[ \] 100 %/],
    [
      'the end',
      { stage: 'done', step: null, verdict: { kind: 'stay', why: null, missing: [] } },
      /\[x\] 100 %[\s\S]*Next +take "migration" out of the config, with sharp@replicate first/,
    ],
    [
      'a roll-back',
      { stage: 'rolled_back', step: null, verdict: { kind: 'stay', why: null, missing: [] } },
      /\[ \] 100 % - \(rolled back\)[\s\S]*Next +mend what the history names, then: surefoot migrate resume\. It begins anew, in its shadow stage: 10 compared pairs/,
    ],
    [
      'after a roll-back the figures that led there',
      { stage: 'rolled_back', step: null, to: { ...migration.to, percent: 0, attempts: 0, measured } },
      /^sharp@replicate +0 % +0 \(0 %\) +90\/100 \(83-95 %\), in its last stage/m,
    ],
    [
      'that a side is out, and until when',
      { from: { ...migration.from, out: { until: '2026-11-24T12:00:30.000Z', why: '3 attempts in a row failed.' } } },
      /^Out +sharp@modal gets no prediction until 2026-11-24 12:00:30 UTC, whatever is planned: 3 attempts in a row failed\.$/m,
    ],
    ['a pause', { paused: true }, /^surefoot\/sharp {2}sharp@modal -> sharp@replicate {2}paused: nothing is judged/],
    [
      'what comes within seconds',
      { verdict: { kind: 'back', why: '0 of 3.', missing: [] } },
      /Waits for +the roll-back, within seconds: 0 of 3\./,
    ],
    ['another plan', { configured: false }, /The config of this gateway has another plan/],
    ['a share below one cell', { to: { ...migration.to, percent: 1 } }, /^ {2}█░+ {2}1 % are to begin/m],
    [
      'outputs that differ',
      {
        pairs: {
          ...migration.pairs,
          latest: [
            {
              prediction: 'p',
              shadow: 's',
              from: { succeeded: true, seconds: 1, cost: 0 },
              to: { succeeded: true, seconds: 1, cost: 0 },
              differences: ['9 splats against 1'],
            },
          ],
        },
      },
      /prediction p, shadow run s: 9 splats against 1/,
    ],
  ])('shows %s', (_, over, words) => expect(draw(over)).toMatch(words))
})

/** Two deployments on this machine, from one of which `relief` moves to the other. */
async function setup(migration: string): Promise<TestTerminal> {
  const terminal = await openTerminal()
  const provider = new URL('../providers/local/index.ts', import.meta.url)
  writeFileSync(
    join(terminal.folder, 'surefoot.config.mjs'),
    `import { local } from ${JSON.stringify(provider.href)}
export default {
  providers: { other: ({ dataDirectory }) => local({ directory: dataDirectory + '/other' }) },
  deployments: { 'relief@other': {} },
  models: { relief: { route: ['relief@local', 'relief@other'], migration: ${migration} } },
}`,
  )
  return terminal
}
const way = "from: 'relief@local', to: 'relief@other'"

test('a side that goes out is told once while it stays out, and again when it does again', () => {
  const lines: string[] = []
  const told = new Set<string>()
  const stdout = { write: (line: string) => void lines.push(line.slice('2026-11-24 12:00:00'.length)) }
  const tell = (until: string | null) => {
    const out = until === null ? null : { until, why: '3 attempts in a row failed.' }
    tellOut({ stdout }, { ...migration, from: { ...migration.from, out } }, told)
  }
  const times = ['2026-11-24T12:00:30.000Z', '2026-11-24T12:00:32.000Z', null, '2026-11-24T12:05:00.000Z']
  for (const until of times) tell(until)
  expect(lines).toEqual([
    expect.stringMatching(/^ {2}surefoot\/sharp {2}sharp@modal gets no prediction until 2026-11-24 12:00:30 UTC/),
    expect.stringMatching(/^ {2}surefoot\/sharp {2}sharp@modal gets no prediction until 2026-11-24 12:05:00 UTC/),
  ])
})

describe('the command', () => {
  test('says where a migration stands, and moves it, with a gateway and without', async () => {
    const { begin, run } = await setup(`{ ${way}, steps: [50, 100], shadow: { share: 1, runs: 1 } }`)
    const gateway = begin('serve', '--port', '0')
    const [, url = ''] = await gateway.said(/listening on (http:\S+)/)
    expect(await run('migrate')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('[>] shadow - [ ] 50 % - [ ] 100 %'),
    })
    await run('predict', 'photo.png', '-o', 'scene.ply')
    const readPairs = async () => {
      const [migration] = JSON.parse((await run('migrate', '--json')).stdout) as MigrationJson[]
      return migration?.pairs
    }
    await expect.poll(readPairs, { timeout: 30_000 }).toMatchObject({ compared: 1, both: 1, differ: 0 })
    const pair = (await readPairs())?.latest[0]
    const { stdout } = await run('show', pair?.shadow ?? '')
    expect(stdout).toContain(`Shadow run of ${pair?.prediction} for a migration`)
    expect(stdout).toContain('relief@other  won')
    const page = (await (await fetch(`${url}/v1/predictions`)).json()) as PageJson<PredictionJson>
    expect(page.results.map(({ id }) => id)).not.toContain(pair?.shadow)
    expect(await run('migrate', 'relief', 'rollback')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('(rolled back)'),
    })
    for (const action of ['advance', 'pause', 'rollback'])
      expect(await run('migrate', 'relief', action)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('surefoot migrate surefoot/relief resume begins anew, in its shadow stage'),
      })
    gateway.interrupt()
    await gateway.ended
    const resumed = await run('migrate', 'resume')
    expect(resumed.stdout).toContain('[>] shadow')
    expect(resumed.stdout).toContain('it begins anew, in its shadow stage: 1 compared pairs are wanted')
    expect((await run('migrate', 'surefoot/relief', 'advance')).stdout).toContain('[x] shadow - [>] 50 %')
    expect((await run('migrate', 'relief', 'pause')).stdout).toContain('paused: nothing is judged')
  })

  test('watches to the end, a line for each event', async () => {
    const { run, begin } = await setup(`{ ${way}, steps: [100], shadow: { runs: 0 } }`)
    await run('predict', 'photo.png', '-o', 'scene.ply')
    const gateway = begin('serve', '--port', '0')
    await gateway.said(/listening on/)
    const watching = begin('migrate', '--watch')
    await watching.said(/100 %: The configuration asks for it\./)
    await run('migrate', 'advance')
    const { code, stdout } = await watching.ended
    expect([code, stdout.trimEnd().split('\n').at(-1)]).toEqual([
      0,
      expect.stringContaining('surefoot/relief  done: A person advanced it'),
    ])
    gateway.interrupt()
    await gateway.ended
  })

  test('says in a sentence what cannot be', async () => {
    const { run, folder } = await openTerminal()
    expect(await run('migrate')).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no data folder') })
    await run('predict', 'photo.png', '-o', 'scene.ply')
    expect(readdirSync(folder)).toContain('scene.ply')
    expect(await run('migrate')).toEqual({
      code: 0,
      stdout: 'No model has a migration in the config; docs/migrate/README.md says how to begin one.\n',
      stderr: '',
    })
    expect(await run('migrate', 'relief')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No migration is configured for "relief"'),
    })
    expect(await run('migrate', 'relief', 'hurry')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('There is no action "hurry"'),
    })
    expect(await run('migrate', 'a', 'b', 'c')).toMatchObject({ code: 2 })
  })

  test('refuses what makes no sense there', async () => {
    const { run } = await setup(`{ ${way} }`)
    await run('predict', 'photo.png', '-o', 'scene.ply')
    expect(await run('migrate', 'resume')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('is in its shadow stage and is not paused'),
    })
  })
})
