import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openTerminal, type TestTerminal } from './test-support.ts'

const secretForm = /^sf_[a-z2-7]{12}_[A-Za-z0-9_-]{43}\n$/

async function serve({ begin }: TestTerminal, ...options: readonly string[]) {
  const gateway = begin('serve', '--port', '0', ...options)
  const [, url = ''] = await gateway.said(/listening on (http:\S+)/)
  return { gateway, url }
}

async function create({ run }: TestTerminal, ...options: readonly string[]) {
  const { stdout, code } = await run('token', 'create', '--name', 'Ann', ...options)
  expect(code).toBe(0)
  return stdout.trim()
}

const status = async (url: string, secret?: string) =>
  (await fetch(`${url}/v1/predictions`, secret === undefined ? {} : { headers: { authorization: `Bearer ${secret}` } }))
    .status

describe('surefoot token', () => {
  test('prints the secret alone on stdout, once, and what it may on stderr', async () => {
    const { run } = await openTerminal()
    const options = [
      '--scopes',
      'read',
      '--expires',
      '30d',
      '--rate',
      '60/min',
      '--concurrency',
      '4',
      '--budget',
      '5/day',
      '--file-bytes',
      '5MB',
      '--stored-bytes',
      '2GB',
    ]
    const { code, stdout, stderr } = await run('token', 'create', '--name', 'Ann', ...options)
    expect([code, stdout]).toEqual([0, expect.stringMatching(secretForm)])
    expect(stderr).toMatch(
      /of Ann: may read; until \S+ \S+ UTC; 60 requests a minute; 4 predictions at a time; 5 USD a day; 5\.0 MB a file; 2000\.0 MB of files at once\./,
    )
    const listed = await run('token', 'list')
    expect(listed.stdout).toMatch(/Ann +good +never +may read/)
    expect(listed.stdout + listed.stderr).not.toContain(stdout.trim().slice(-43))
  })

  test('lists and revokes, as JSON too', async () => {
    const { run } = await openTerminal()
    const made = JSON.parse((await run('token', 'create', '--name', 'Bob', '--json')).stdout)
    expect(made).toMatchObject({ name: 'Bob', scopes: ['predict', 'read'], secret: expect.stringContaining(made.id) })
    expect(await run('token', 'revoke', made.id)).toMatchObject({ code: 0, stdout: `Token ${made.id} is revoked.\n` })
    expect(JSON.parse((await run('token', 'list', '--json')).stdout)).toMatchObject([{ id: made.id, state: 'revoked' }])
    expect(await run('token', 'revoke', made.id)).toMatchObject({ code: 1 })
  })

  test.each([
    [['create'], /--name is missing/],
    [['create', '--name', 'x', '--scopes', 'root'], /no scope "root"/],
    [['create', '--name', 'x', '--expires', '30'], /--expires takes a time/],
    [['create', '--name', 'x', '--rate', '0/min'], /--rate takes a number/],
    [['create', '--name', 'x', '--rate', '5/hour'], /--rate takes a number/],
    [['create', '--name', 'x', '--budget', '-1'], /--budget/],
    [['create', '--name', 'x', '--budget', '5/week'], /--budget takes a number/],
    [['create', '--name', 'x', '--file-bytes', '5'], /--file-bytes takes a size/],
    [['create', '--name', 'x', '--stored-bytes', '0MB'], /--stored-bytes takes a size/],
    [['revoke'], /id of a token is missing/],
    [['list', '--name', 'x'], /--name belongs to surefoot token create/],
    [['make'], /say create, list or revoke/],
    [[], /say create, list or revoke/],
  ])('understands nothing of %j', async (args, words) => {
    const { run } = await openTerminal()
    expect(await run('token', ...args)).toMatchObject({ code: 2, stderr: expect.stringMatching(words) })
  })
})

describe('a gateway that runs', () => {
  test('asks for tokens from the moment that the first is made, and ends what is revoked at once', async () => {
    const terminal = await openTerminal()
    const { url } = await serve(terminal)
    expect(await status(url)).toBe(200)
    const secret = await create(terminal)
    expect([await status(url), await status(url, secret)]).toEqual([401, 200])
    await terminal.run('token', 'revoke', secret.split('_')[1] ?? '')
    expect([await status(url), await status(url, secret)]).toEqual([401, 401])
  })

  test('lets commands in that can read the data folder, by a secret that nobody else can read', async () => {
    const terminal = await openTerminal()
    await serve(terminal)
    await create(terminal)
    const owner = join(terminal.folder, '.surefoot/owner.json')
    expect(statSync(owner).mode & 0o077).toBe(0)
    expect(JSON.parse(readFileSync(owner, 'utf8'))).toMatchObject({ secret: expect.stringMatching(/^sf_owner_/) })
    expect(await terminal.run('predict', 'photo.png', '-o', 'scene.ply')).toMatchObject({ code: 0 })
    expect((await terminal.run('list')).stdout).toContain('succeeded')
  })

  test('serves other machines once there is a token, and says before that how to make one', async () => {
    const terminal = await openTerminal()
    expect(await terminal.run('serve', '--port', '0', '--host', '0.0.0.0')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/not a loopback address\. Make a token with "surefoot token create/),
    })
    const secret = await create(terminal)
    const { gateway, url } = await serve(terminal, '--host', '0.0.0.0')
    await gateway.said(/Tokens {2}needed/)
    await gateway.said(/put TLS in front/)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:/)
    expect([await status(url), await status(url, secret)]).toEqual([401, 200])
  })
})

describe('SUREFOOT_TOKEN', () => {
  test('is who a command is: it sees what that token owns, and --all shows the operator everybody', async () => {
    const operator = await openTerminal()
    await serve(operator)
    const secret = await create(operator)
    const data = join(operator.folder, '.surefoot')
    const user = await openTerminal({ SUREFOOT_TOKEN: secret, SUREFOOT_DATA: data })
    expect(await user.run('predict', 'photo.png', '-o', 'scene.ply')).toMatchObject({ code: 0 })
    expect((await user.run('list')).stdout).toContain('succeeded')
    expect((await user.run('status')).code).toBe(0)
    expect((await operator.run('list')).stdout).toBe('There are no predictions yet.\n')
    expect((await operator.run('list', '--all')).stdout).toContain('succeeded')
    expect(await user.run('list', '--all')).toMatchObject({ code: 1, stderr: expect.stringContaining('scope "admin"') })
    expect(await user.run('token', 'list')).toMatchObject({ code: 1, stderr: expect.stringContaining('"admin"') })
  })

  test('counts where no gateway runs too', async () => {
    const operator = await openTerminal()
    const secret = await create(operator, '--scopes', 'read')
    const data = join(operator.folder, '.surefoot')
    const user = await openTerminal({ SUREFOOT_TOKEN: secret, SUREFOOT_DATA: data })
    expect(await user.run('predict', 'photo.png')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('scope "predict"'),
    })
    const stranger = await openTerminal({ SUREFOOT_TOKEN: `${secret}x`, SUREFOOT_DATA: data })
    expect(await stranger.run('list')).toMatchObject({ code: 1, stderr: expect.stringContaining('not one of ours') })
  })
})
