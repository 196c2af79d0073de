import { test } from '@jest/globals'
import { open } from './masking.ts'
import { MASKS } from '../../../src/mask/registry.ts'
test('x', async () => {
  for (const n of MASKS.keys())
    for (const locale of ['hu', 'en']) {
      const { of, prepared } = await open(n, { locale })
      console.log(
        n,
        prepared.injective,
        of('Kovács Béla'),
        of('KOVÁCS BÉLA '),
        of('x@y.hu'),
        of('Árvíztűrő 12 tükörfúrógép'),
      )
    }
  const j = await open('text.scramble', { type: 'jsonb' })
  console.log(
    j.of(
      '{"név": "Kovács \\u00c1rp\\u00e1d", "a":[1,-20.50e+3,0, null,true,"x\\"y"], "a": 12345678901234567890.001}',
    ),
  )
})
