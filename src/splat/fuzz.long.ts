import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkSplat } from './check.ts'
import { sanitiseSplat } from './sanitise.ts'
import { arrive, endsAlike, type FuzzCase, findDisagreement, nearlySplats, wordHeaders } from './test-fuzz.ts'

test('of a hundred thousand files with small faults exactly the good ones are valid', async () => {
  await fc.assert(
    fc.asyncProperty(nearlySplats, async file => {
      const disagreement = await findDisagreement(file)
      if (disagreement !== null) throw new Error(disagreement)
    }),
    { numRuns: 100_000, endOnFailure: true },
  )
})

test('twenty thousand headers of any words are read alike in pieces and whole', () => {
  fc.assert(fc.property(wordHeaders, endsAlike), { numRuns: 20_000, endOnFailure: true })
})

test('what sanitising makes of ten thousand faulty files is valid, or too faint, or too far away', async () => {
  await fc.assert(
    fc.asyncProperty(nearlySplats, async file => {
      const found = await sanitiseSplat(() => arrive(file), { stripExtras: true })
      if (found.kind === 'problem') return
      const parts: Uint8Array[] = []
      for await (const part of found.pieces()) parts.push(part)
      const clean: FuzzCase = { bytes: Buffer.concat(parts), sizes: file.sizes }
      const check = await checkSplat(arrive(clean), { bytes: found.bytes })
      if (!check.valid) expect(check.problem.code).toMatch(/^(no_splats|out_of_range)$/)
    }),
    { numRuns: 10_000, endOnFailure: true },
  )
})
