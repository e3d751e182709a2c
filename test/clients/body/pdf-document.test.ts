import fc from 'fast-check'
import t from 'tap'
import {
  decodeStrictly,
  documentPattern,
  findDocumentFault,
  maxDocumentBytes,
} from '../../../src/clients/body/pdf-document.ts'
import { checkProperty } from '../../fixtures/property.ts'

const tooLarge = 'must be a PDF of at most 2 MiB (2097152 bytes) before Base64'
const notBase64 = 'must be Base64 (RFC 4648 §4), padded, without line breaks'
const notPdf = 'must be a PDF: its first bytes are %PDF-'

/** A text that Base64 leaves without padding, so that parts of it can be put together again. */
const pdf = Buffer.from('%PDF-1.7 \xe2\xe3\xcf\xd3 ', 'latin1')
const base64 = pdf.toString('base64')

function pdfOf(byteLength: number): string {
  const bytes = Buffer.alloc(byteLength, 0x20)
  bytes.write('%PDF-1.7\n')
  return bytes.toString('base64')
}

interface Row {
  name: string
  document: string
  fault: string | undefined
}

const rows: Row[] = [
  { name: 'a PDF', document: base64, fault: undefined },
  { name: 'a PDF with one character of padding', document: pdfOf(11), fault: undefined },
  { name: 'a PDF with two characters of padding', document: pdfOf(10), fault: undefined },
  { name: 'the five bytes that make a PDF', document: 'JVBERi0=', fault: undefined },
  { name: 'exactly 2 MiB', document: pdfOf(maxDocumentBytes), fault: undefined },
  { name: 'one byte more than 2 MiB', document: pdfOf(maxDocumentBytes + 1), fault: tooLarge },
  { name: 'three bytes more than 2 MiB', document: pdfOf(maxDocumentBytes + 3), fault: tooLarge },
  { name: 'a line break after 2 MiB', document: `${pdfOf(maxDocumentBytes)}\n`, fault: tooLarge },
  { name: 'an empty text', document: '', fault: notPdf },
  { name: 'a line break in the middle', document: `${base64.slice(0, 8)}\n${base64.slice(8)}`, fault: notBase64 },
  { name: 'a carriage return and a line break', document: `${base64}\r\n`, fault: notBase64 },
  { name: 'a space in front', document: ` ${base64}`, fault: notBase64 },
  { name: 'a tab in the middle', document: `${base64.slice(0, 4)}\t${base64.slice(4)}`, fault: notBase64 },
  { name: 'the url-safe alphabet', document: 'JVBERi0-_w==', fault: notBase64 },
  { name: 'no padding where there must be some', document: 'JVBERi0', fault: notBase64 },
  { name: 'half of the padding', document: 'JVBERi0xLg=', fault: notBase64 },
  { name: 'padding where there must be none', document: `${base64}=`, fault: notBase64 },
  { name: 'padding in the middle', document: `JVBERi0=${base64}`, fault: notBase64 },
  { name: 'pad bits that are not zero', document: 'JVBERi1=', fault: notBase64 },
  { name: 'two sets of pad bits that are not zero', document: 'JVBERi0xLh==', fault: notBase64 },
  { name: 'a lone character at the end', document: `${base64}A`, fault: notBase64 },
  { name: 'a character that no alphabet has', document: 'JVBERi0*', fault: notBase64 },
  { name: 'a letter of another script', document: 'JVBEЯi0=', fault: notBase64 },
  { name: 'a character outside of the basic plane', document: 'JVBE😀i0=', fault: notBase64 },
  { name: 'half a surrogate pair', document: 'JVBE\ud800i0=', fault: notBase64 },
  { name: 'a data URL', document: `data:application/pdf;base64,${base64}`, fault: notBase64 },
  { name: 'the start of a PDF, cut short', document: Buffer.from('%PDF').toString('base64'), fault: notPdf },
  { name: 'a PDF behind a byte order mark', document: Buffer.from('\ufeff%PDF-1.7').toString('base64'), fault: notPdf },
  { name: 'a PNG', document: Buffer.from('\x89PNG\r\n\x1a\n', 'latin1').toString('base64'), fault: notPdf },
]

for (const { name, document, fault } of rows) {
  t.test(`${name} ${fault === undefined ? 'is a document' : 'is refused'}`, async (t) => {
    t.equal(findDocumentFault(document), fault)
  })
}

t.test('the documented pattern takes the documents that the service takes', async (t) => {
  const pattern = new RegExp(documentPattern)
  for (const { name, document, fault } of rows.filter(({ document }) => document.length < 100)) {
    t.equal(pattern.test(document), fault === undefined, name)
  }
})

/** Buffer is lenient: only what encodes back to the same text was strict. */
function decodeByRoundTrip(base64: string): Uint8Array | undefined {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : undefined
}

/** Copied, as the decoder hands out a view of its scratch memory. */
function hexOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex')
}

t.test('the decoder and a lenient one with a check give the same bytes and the same verdict', async (t) => {
  for (const { name, document } of rows.filter(({ fault }) => fault !== tooLarge)) {
    t.equal(hexOf(decodeStrictly(document)), hexOf(decodeByRoundTrip(document)), name)
  }
})

t.test(
  'the decoder and a lenient one with a check give the same bytes and the same verdict for anything',
  async (t) => {
    const encoded = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64'))
    const almost = fc
      .tuple(
        encoded,
        fc.nat(64),
        fc.nat(2),
        fc.constantFrom('', '=', '-', '_', '+', '/', 'A', 'b', '\n', ' ', 'é', '\0'),
      )
      .map(([text, at, removed, added]) => text.slice(0, at) + added + text.slice(at + removed))
    const likely = fc.string({ unit: fc.constantFrom(...'ABab01+/==-_ \n'), maxLength: 24 })
    const anything = fc.oneof(encoded, almost, likely, fc.string({ unit: 'binary', maxLength: 24 }))
    checkProperty(
      t,
      fc.property(anything, (text) => hexOf(decodeStrictly(text)) === hexOf(decodeByRoundTrip(text))),
      3000,
    )
  },
)

t.test('what the decoder takes encodes back to the same text', async (t) => {
  const bytes = fc.uint8Array({ maxLength: 256 })
  checkProperty(
    t,
    fc.property(bytes, (bytes) => hexOf(decodeStrictly(Buffer.from(bytes).toString('base64'))) === hexOf(bytes)),
  )
})

t.test('nothing of a document stays behind, whatever was wrong with it', async (t) => {
  const scratch = new Uint8Array((decodeStrictly('AAAA') as Uint8Array).buffer)
  scratch.fill(0)
  const largest = pdfOf(maxDocumentBytes)
  for (const document of [
    base64,
    largest,
    `${largest.slice(0, -4)}*AAA`,
    pdfOf(maxDocumentBytes + 1),
    'JVBERi1=',
    'JVBERi0xLg',
  ]) {
    findDocumentFault(document)
    t.ok(scratch.every((byte) => byte === 0))
  }
})

t.test('the verdict on one document does not depend on the one before', async (t) => {
  t.equal(findDocumentFault(base64), undefined)
  t.equal(findDocumentFault(Buffer.from('%PD').toString('base64')), notPdf, 'its own bytes are too few')
})
