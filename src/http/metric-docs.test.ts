import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { metrics } from './metric-list.ts'

it('docs/operating.md lists every metric as it is', () => {
  const text = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  const listed = /<!-- metrics -->\n([\s\S]*)<!-- \/metrics -->/.exec(text)?.[1] ?? ''
  const rows = metrics.map(({ name, type, labels, of, help }) => {
    const whole = type === 'counter' ? `${name}_total` : name
    return `| \`${whole}\` | ${type} | ${labels.map(label => `\`${label}\``).join(' ')} | ${of} | ${help} |`
  })
  const table = ['| metric | type | labels | of | what |', '| --- | --- | --- | --- | --- |', ...rows]
  expect(listed.trim().split('\n')).toEqual(table)
})

it('alerts in docs/operating.md ask for metrics that there are', () => {
  const text = readFileSync(new URL('../../docs/operating.md', import.meta.url), 'utf8')
  const alerts = /## Alerts([\s\S]*)## Logs/.exec(text)?.[1] ?? ''
  const asked = [...alerts.matchAll(/\b(?:surefoot|nodejs|process)_[a-z0-9_]+/g)].map(([name]) => name)
  const known = metrics.flatMap(({ name, type }) =>
    type === 'counter' ? `${name}_total` : type === 'histogram' ? `${name}_bucket` : name,
  )
  expect(asked.length).toBeGreaterThan(8)
  expect(asked.filter(name => !known.includes(name))).toEqual([])
})
