import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { prepareHmac } from '../src/hmac.ts'
import { checkProperty } from './fixtures/property.ts'

const algorithms = ['sha256', 'sha512'] as const

t.test('it gives the vector of RFC 4231, section 4.3', async (t) => {
  const expected = {
    sha256: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    sha512:
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
  }
  for (const algorithm of algorithms) {
    const hmac = prepareHmac(algorithm, 'Jefe')('what do ya want for nothing?')
    t.equal(hmac, Buffer.from(expected[algorithm], 'hex').toString('base64url'))
  }
})

/** What node:crypto's own HMAC gives. */
function expectedHmac(algorithm: string, secret: string, text: string): string {
  return createHmac(algorithm, Buffer.from(secret)).update(text).digest('base64url')
}

for (const algorithm of algorithms) {
  t.test(`it is node:crypto’s HMAC with ${algorithm}, whatever the secret, the prefix and the text`, async (t) => {
    const texts = fc.string({ unit: 'binary', maxLength: 300 })
    checkProperty(
      t,
      fc.property(texts, texts, fc.array(texts, { minLength: 1, maxLength: 5 }), (secret, prefix, several) => {
        const computeHmac = prepareHmac(algorithm, secret, prefix)
        return several.every((text) => computeHmac(text) === expectedHmac(algorithm, secret, prefix + text))
      }),
    )
  })

  t.test(`the length of secret and text makes no difference with ${algorithm}`, async (t) => {
    const textLengths = [0, 1, 5000, 100, 64 * 1024, 64 * 1024 + 1, 3_000_000, 10]
    for (const secretLength of [1, 63, 64, 65, 127, 128, 129, 300]) {
      const secret = randomBytes(secretLength).toString('base64url').slice(0, secretLength)
      const computeHmac = prepareHmac(algorithm, secret, 'prefix.')
      for (const length of textLengths) {
        const text = 'ö'.repeat(length)
        const expected = expectedHmac(algorithm, secret, `prefix.${text}`)
        t.equal(computeHmac(text), expected, `secret of ${secretLength}, text of ${length} characters`)
      }
    }
  })
}
