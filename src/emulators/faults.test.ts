import { expect, test } from 'vitest'
import { createRandom } from '../testing/random.ts'
import { faultNames } from './catalogue.ts'
import { createDice, parseFault, parseFaultPlan } from './faults.ts'

test.each([
  ['stall', { name: 'stall', parameter: null, probability: 1, after: 0, times: null }],
  ['stall@0.9:20%', { name: 'stall', parameter: '0.9', probability: 0.2, after: 0, times: null }],
  ['create-502:12.5%', { name: 'create-502', parameter: null, probability: 0.125, after: 0, times: null }],
  ['create-429@date*3', { name: 'create-429', parameter: 'date', probability: 1, after: 0, times: 3 }],
])('reads %s', (text, rule) => {
  expect(parseFault(text)).toEqual(rule)
})

test.each([
  ['stal', 'There is no fault "stal". There are: create-refused,'],
  ['oom@', 'is no fault. Write name[@parameter][:percent%][*times]'],
  ['cancel-ignored@3', 'takes no parameter'],
  ['stall@9', 'The fault "stall" takes a fraction from 0 to 1, not "9".'],
  ['output-hang@-0.1', 'takes a fraction from 0 to 1'],
  ['oom@half', 'takes a fraction from 0 to 1'],
])('refuses %s with a word of help', (text, help) => {
  expect(() => parseFault(text)).toThrow(help)
})

test('reads a plan from JSON, flags and objects mixed', () => {
  const plan = parseFaultPlan({ seed: 7, faults: ['oom:10%', { name: 'stall', parameter: 0.5, after: 2, times: 1 }] })
  expect(plan).toEqual({
    seed: 7,
    faults: [parseFault('oom:10%'), { name: 'stall', parameter: '0.5', probability: 1, after: 2, times: 1 }],
  })
  expect(() => parseFaultPlan({ fault: [] })).toThrow('Unrecognized key')
  const beyond = { faults: [{ name: 'stall', parameter: 1.5 }] }
  expect(() => parseFaultPlan(beyond)).toThrow('takes a fraction from 0 to 1, not "1.5"')
  expect(parseFault('stall@1').parameter).toBe('1')
})

test('the same seed decides the same, another seed decides differently', () => {
  const draw = (seed: number) => {
    const roll = createDice(['stall:50%', 'oom:50%'], createRandom(seed))
    return Array.from({ length: 40 }, () => roll()).map(faults => [faults.has('stall'), faults.has('oom')])
  }
  expect(draw(1)).toEqual(draw(1))
  expect(draw(1)).not.toEqual(draw(2))
})

test('a probability of 20 % hits one run in five', () => {
  const roll = createDice(['stall:20%'], createRandom(3))
  const hits = Array.from({ length: 10_000 }, () => roll()).filter(faults => faults.has('stall')).length
  expect(hits / 10_000).toBeCloseTo(0.2, 1)
})

test('`after` and `times` choose the runs', () => {
  const [rule] = parseFaultPlan({ faults: [{ name: 'oom', after: 1, times: 2 }] }).faults
  const roll = createDice(rule === undefined ? [] : [rule], createRandom(1))
  expect(Array.from({ length: 5 }, () => roll().has('oom'))).toEqual([false, true, true, false, false])
})

test('a fault without a given parameter has its default', () => {
  const faults = createDice(['stall', 'oom@0.5'], createRandom(1))()
  expect([faults.number('stall'), faults.number('oom'), faults.number('status-503')]).toEqual([0.9, 0.5, Number.NaN])
})

test('names are unique words that a flag can carry', () => {
  for (const name of faultNames) expect(parseFault(name).name).toBe(name)
})
