import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePlyHeader } from './ply-header.ts'
import { endsAlike, findDisagreement, nearlySplats, wordHeaders } from './test-fuzz.ts'

// The same with many more cases: `fuzz.long.ts`.

test('of files with small faults exactly the good ones are valid', async () => {
  await fc.assert(
    fc.asyncProperty(nearlySplats, async file => {
      expect(await findDisagreement(file)).toBeNull()
    }),
    { numRuns: 1_000 },
  )
})

test('a header of any words, and of any bytes, is read without a throw and alike in pieces and whole', () => {
  const headers = fc.oneof(wordHeaders, fc.uint8Array({ maxLength: 200 }))
  fc.assert(fc.property(headers, endsAlike), { numRuns: 500 })
})

test('a header that never ends is given up at its cap, however it arrives', () => {
  for (const line of ['\n', 'end_header', 'comment \n', '\nend_header ']) {
    const bytes = Buffer.from(`ply\n${line.repeat(80_000 / line.length)}`)
    expect(parsePlyHeader(bytes)).toMatchObject({ kind: 'invalid' })
    for (let length = 1_000, from = 0; ; from = length, length += 1_000) {
      const part = parsePlyHeader(bytes.subarray(0, length), from)
      if (part.kind === 'invalid') break
      expect(length).toBeLessThan(66_000)
    }
  }
})
