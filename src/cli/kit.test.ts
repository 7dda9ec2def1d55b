import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { kitModels, kitWrappers } from './kit-files.ts'
import { openTerminal } from './test-support.ts'

const python = spawnSync('python3', ['--version']).status === 0
const repository = dirname(fileURLToPath(new URL('../../package.json', import.meta.url)))

/** A kit's files, by path. */
function filesOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(file => file.isFile())
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [path.slice(folder.length + 1).replaceAll('\\', '/'), readFileSync(path, 'utf8')]
    }),
  )
}

test('alone it lists the providers', async () => {
  const { run } = await openTerminal()
  const { code, stdout } = await run('kit')
  expect(code).toBe(0)
  for (const provider of Object.keys(kitWrappers)) expect(stdout).toContain(provider)
})

test('a folder to push, with the commands, the config lines and the licence', async () => {
  const { folder, run } = await openTerminal()
  const { code, stdout, stderr } = await run('kit', 'runpod')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('surefoot-kit-runpod holds a worker that runs sharp.\n')
  expect(stdout).toContain('  docker push registry.example/you/surefoot-kit:1\n')
  expect(stdout).toContain("target: { endpoint: 'YOUR_ENDPOINT_ID', hardware: '24gb', kit: true }")
  expect(stdout).toContain('for research purposes only, without commercial use')
  const files = filesOf(join(folder, 'surefoot-kit-runpod'))
  expect(Object.keys(files)).toEqual(
    expect.arrayContaining(['Dockerfile', 'handler.py', 'requirements.txt', 'surefoot_kit/failure-codes.json']),
  )
  expect(files['requirements.txt']).toMatch(
    /^sharp @ https:\/\/github\.com\/apple\/ml-sharp\/archive\/[0-9a-f]{40}\.zip$/m,
  )
  expect(files.Dockerfile).toContain('SUREFOOT_KIT_MODEL=sharp')
})

test('the licence comes before the command that accepts it, and neither for another model', async () => {
  const { run } = await openTerminal()
  const { stdout } = await run('kit', 'koyeb')
  expect(stdout).toMatch(/for research purposes only[\s\S]*--env SUREFOOT_SHARP_LICENSE=accepted/)
  expect((await run('kit', 'koyeb', '--model', 'dummy', '-o', 'dummy')).stdout).not.toMatch(/licence|LICENSE/)
})

test('replicate and cog differ in what is to be done', async () => {
  const { run } = await openTerminal()
  const replicate = await run('kit', 'replicate')
  const cog = await run('kit', 'cog')
  expect([replicate.stdout, cog.stdout]).toEqual([
    expect.stringMatching(/cog push r8\.im[\s\S]*replicate\(\{/),
    expect.stringMatching(/docker run -d[\s\S]*cog\(\{/),
  ])
})

test.each(Object.keys(kitWrappers).flatMap(provider => Object.keys(kitModels).map(model => [provider, model])))(
  'the kit of %s with %s names its model once, and holds no path of this machine, no cache and no secret',
  async (provider, model) => {
    const { folder, run } = await openTerminal()
    expect(await run('kit', provider, '--model', model, '-o', 'out')).toMatchObject({ code: 0, stderr: '' })
    const files = filesOf(join(folder, 'out'))
    const settings = Object.entries(files).filter(([path]) => !path.includes('surefoot_kit/') && path !== 'README.md')
    const named = settings.flatMap(
      ([, text]) => text.match(/(?<=SUREFOOT_KIT_MODEL\W+(?:value\W+)?)(?!value)[a-z]+/g) ?? [],
    )
    expect(named.length).toBeGreaterThan(0)
    expect(new Set(named)).toEqual(new Set([model]))
    if (model !== 'sharp') expect(settings.map(([, text]) => text).join('\n')).not.toContain('ml-site.cdn-apple.com')
    for (const [path, text] of Object.entries(files)) {
      expect(path).not.toMatch(/__pycache__|_cache|\.pyc|(^|\/)tests?\//)
      for (const secret of [repository, folder, homedir()])
        if (secret !== '/') expect([path, text.includes(`${secret}/`)]).toEqual([path, false])
      expect([path, /\b(r8_\w{10}|rpa_\w{10}|a[ks]-\w{15}|whsec_\w{10})/.test(text)]).toEqual([path, false])
      expect([path, / # (GPU|SHARP)$/m.test(text)]).toEqual([path, false])
      if (path.endsWith('.json')) JSON.parse(text)
    }
    expect(files['README.md']).not.toMatch(/\]\(\.\.?\//)
  },
)

// Without Python the skip is printed with its reason in the title.
test.skipIf(!python)('all Python of a kit compiles (skipped where there is no python3)', async () => {
  const { folder, run } = await openTerminal()
  for (const provider of Object.keys(kitWrappers)) await run('kit', provider, '-o', provider)
  const check =
    'import sys, pathlib\nfor p in pathlib.Path(".").rglob("*.py"): compile(p.read_text("utf-8"), str(p), "exec")\nprint("fine")'
  const { stdout, stderr } = spawnSync('python3', ['-c', check], { cwd: folder, encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: 'fine\n', stderr: '' })
})

test.each([
  ['cog', 'run'],
  ['runpod', 'handler'],
  ['modal', 'surefoot_kit'],
])("%s: a module with the name of the kit's own is refused, and nothing is written", async (provider, name) => {
  const { folder, run } = await openTerminal()
  writeFileSync(join(folder, `${name}.py`), 'def invert(image, output, report):\n    pass\n')
  const { code, stderr } = await run('kit', provider, '--module', `${name}.py`, '--model', `${name}:invert`)
  expect([code, stderr]).toEqual([1, expect.stringContaining('is the name of a file of the kit itself')])
  expect(readdirSync(folder).toSorted()).toEqual(['photo.png', `${name}.py`].toSorted())
})

test("one's own model: its file lies where the worker imports it", async () => {
  const { folder, run } = await openTerminal()
  writeFileSync(join(folder, 'my_model.py'), 'def invert(image, output, report):\n    pass\n')
  const own = ['--module', 'my_model.py', '--model', 'my_model:invert']
  const { code, stdout } = await run('kit', 'baseten', ...own)
  expect([code, stdout]).toEqual([
    0,
    expect.stringContaining('Write what it needs into surefoot-kit-baseten/requirements.txt'),
  ])
  expect(stdout).not.toMatch(/licence|LICENSE/)
  const files = filesOf(join(folder, 'surefoot-kit-baseten'))
  expect(files['packages/my_model.py']).toContain('def invert')
  expect(files['config.yaml']).toContain('SUREFOOT_KIT_MODEL: my_model:invert\n')
  expect(files['config.yaml']).toContain('accelerator: L4\n')
})

test('a folder that holds anything is left alone', async () => {
  const { folder, run } = await openTerminal()
  mkdirSync(join(folder, 'mine'))
  writeFileSync(join(folder, 'mine/notes.txt'), 'mine')
  const { code, stdout, stderr } = await run('kit', 'modal', '-o', 'mine')
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/The folder \S+mine is not empty, and nothing of it is overwritten\./)
  expect(readdirSync(join(folder, 'mine'))).toEqual(['notes.txt'])
  expect((await run('kit', 'modal', '-o', 'photo.png')).stderr).toMatch(/photo\.png cannot be written: ENOTDIR\./)
})

test.each([
  [['runpot'], 2, /There is no kit for "runpot"\. Did you mean "runpod"\?/],
  [
    ['runpod', '--model', 'sharpp'],
    2,
    /There is no model "sharpp": name one of sharp, background, dummy, or package\.module:thing\./,
  ],
  [['runpod', '--module', 'photo.png'], 2, /takes a Python file that can be imported/],
  [['runpod', '--module', 'none.py', '--model', 'none:x'], 1, /There is no file \S+none\.py\./],
])('kit %j ends with %i and a sentence', async (argv, expected, sentence) => {
  const { folder, run } = await openTerminal()
  expect(await run('kit', ...argv)).toMatchObject({ code: expected, stderr: expect.stringMatching(sentence) })
  expect(readdirSync(folder)).toEqual(['photo.png'])
})
