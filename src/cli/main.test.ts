import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openTerminal } from './test-support.ts'

test('help is on stdout and lists every command; each command has its own', async () => {
  const { run } = await openTerminal()
  const { code, stdout, stderr } = await run()
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(await run('help')).toEqual({ code, stdout, stderr })
  expect(stdout).toContain('In a clone "npm start --" stands for surefoot.')
  const names = [...stdout.matchAll(/^ {2}(\w+)/gm)].map(([, name]) => name ?? '').filter(name => name !== 'help')
  expect(names).toEqual([
    'serve',
    'worker',
    'predict',
    'convert',
    'compare',
    'migrate',
    'list',
    'show',
    'status',
    'token',
    'webhooks',
    'warm',
    'doctor',
    'emulate',
    'kit',
  ])
  for (const name of names) {
    const shown = await run(name, '--help')
    expect(shown).toEqual({ code: 0, stdout: expect.stringMatching(`^Usage: surefoot ${name}`), stderr: '' })
    expect(await run('help', name)).toEqual(shown)
  }
})

test('--version is that of the package', async () => {
  const { run } = await openTerminal()
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  expect(await run('--version')).toEqual({ code: 0, stdout: `${JSON.parse(manifest).version}\n`, stderr: '' })
})

test.each([
  [['predcit', 'photo.png'], 'There is no command "predcit". Did you mean "predict"?'],
  [['constructor'], 'There is no command "constructor".'],
  [['serve', '--prot', '1'], 'Unknown option "--prot". Did you mean "--port"?'],
  [['serve', '--port', 'http'], '--port takes a whole number from 0 to 65535, not "http".'],
  [['serve', '--port'], '--port needs a value.'],
  [['predict', 'photo.png', '-o'], '--output needs a value.'],
  [
    ['predict', 'photo.png', '--timeout', '-5'],
    '--timeout needs a value; one that begins with "-" is written --timeout=',
  ],
  [['serve', 'here'], '"here" is one argument too many.'],
  [['predict'], 'The photo is missing.'],
  [['predict', 'photo.png', 'other.png'], '"other.png" is one argument too many.'],
  [['predict', 'photo.png', '--timeout', '0'], '--timeout takes a whole number from 1 to 86400, not "0".'],
  [['predict', 'photo.png', '--focal-length', 'wide'], '--focal-length takes millimetres, not "wide".'],
  [['show'], 'The id of a prediction is missing.'],
  [['emulate', 'replicat'], 'There is no emulator of "replicat". Did you mean "replicate"?'],
  [['emulate', 'replicate', '--fault', 'stal'], 'There is no fault "stal". Did you mean "stall"?'],
  [['emulate', 'replicate', '--fault', 'oom@'], '"oom@" is no fault. Write name[@parameter]'],
  [['emulate', 'replicate', '--work', 'sharp'], 'There is no work "sharp".'],
])('%j is one sentence and exit code 2', async (argv, sentence) => {
  const { run } = await openTerminal()
  const { code, stdout, stderr } = await run(...argv)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^surefoot: [^\n]+\n$/)
  expect(stderr).toContain(sentence)
})

test('a config that cannot be read is one sentence and exit code 1', async () => {
  const { run } = await openTerminal()
  const { code, stderr } = await run('serve', '--config', 'none.ts')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^surefoot: There is no config file [^\n]+none\.ts\. [^\n]+\n$/)
})
