import t from 'tap'
import { phoneFor, startTestService } from '../fixtures/service.ts'

const maxBytes = 2 * 1024 * 1024

/** Bytes that are no pattern, between the first of a PDF and its last. */
function buildPdf(bytes: number): Buffer {
  const pdf = Buffer.alloc(bytes)
  for (let i = 0; i < bytes; i++) pdf[i] = (i * 2_654_435_761) >>> 24
  pdf.write('%PDF-1.7\n')
  return pdf
}

t.test('a document of 2 MiB arrives at the partner byte for byte', async (t) => {
  const service = await startTestService(t)
  const pdf = buildPdf(maxBytes)
  const answer = await service.create({
    phone: phoneFor('567'),
    firstName: 'Gʻafur',
    document: pdf.toString('base64'),
  })
  t.equal(answer.statusCode, 201)
  const add = service.received.find(({ path }) => path.endsWith('/add'))
  const client = add?.body.client as { document: string; first_name: string }
  t.ok(Buffer.from(client.document, 'base64').equals(pdf))
  t.equal(client.first_name, 'Gʻafur')
})

t.test('a document of 2 MiB whose answer is lost is asked about, and there once', async (t) => {
  const service = await startTestService(t)
  const answer = await service.create({ phone: phoneFor('003'), document: buildPdf(maxBytes).toString('base64') })
  t.match(answer, { statusCode: 201, body: { status: 'created' } })
  t.equal(service.sandbox.clients().length, 1)
})

t.test('what is no document of at most 2 MiB is a fault of /document, and nothing is sent', async (t) => {
  const service = await startTestService(t)
  const base64 = buildPdf(maxBytes - 1).toString('base64')
  const faulty = {
    'one byte more': buildPdf(maxBytes + 1).toString('base64'),
    'a line break': `${base64.slice(0, 76)}\n${base64.slice(76)}`,
    'the alphabet of URLs': `${base64.slice(0, 100)}-_${base64.slice(102)}`,
    'no padding': base64.replace(/=+$/, ''),
    'another file': Buffer.from('PK\x03\x04 is a zip').toString('base64'),
  }
  for (const [name, document] of Object.entries(faulty)) {
    const { statusCode, body } = await service.create({ phone: phoneFor('567'), document })
    t.match({ statusCode, body }, { statusCode: 400, body: { errors: [{ pointer: '/document' }] } }, name)
  }
  t.equal(service.received.length, 0)
})
