import { readdir } from 'node:fs/promises'

/** What every file of this folder exports: measures, prints, and leaves nothing behind. */
interface Bench {
  run(args: string[]): Promise<void>
}

const names = (await readdir(import.meta.dirname))
  .filter(file => file.endsWith('.ts') && file !== 'main.ts')
  .map(file => file.slice(0, -3))
  .sort()
const [name, ...args] = process.argv.slice(2)

if (name !== undefined && names.includes(name)) {
  const bench = (await import(`./${name}.ts`)) as Bench
  await bench.run(args)
} else {
  console.log(`Usage: npm run bench -- NAME\n\nThere are: ${names.join(', ')}`)
  if (name !== undefined) process.exitCode = 1
}
