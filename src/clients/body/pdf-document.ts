/** The identity document: Base64 of a PDF (partner.md: at most 2 MB; here 2 MiB decoded). */

export const maxDocumentBytes = 2 * 1024 * 1024
export const maxDocumentChars = Math.ceil(maxDocumentBytes / 3) * 4
const pdfMagic = '%PDF-'

/** Strict Base64 that begins with the magic, for OpenAPI alone. Of the seventh character the magic takes four bits of six. */
export const documentPattern =
  '^JVBERi(?:0=|[0-3][A-Za-z0-9+/](?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?)$'

const tooLarge = 'must be a PDF of at most 2 MiB (2097152 bytes) before Base64'
const notBase64 = 'must be Base64 (RFC 4648 §4), padded, without line breaks'
const notPdf = 'must be a PDF: its first bytes are %PDF-'

/** Decodes strictly: the standard alphabet, padding, zero pad bits, not a character besides. Undefined where it is not that. */
type DecodeStrictly = (base64: string) => Uint8Array | undefined

/** Holds one document at a time, only while it is looked at: allocating 2 MiB for each costs more than decoding them. */
const scratch = new Uint8Array(maxDocumentBytes + 3)

/** A fifth of a millisecond for 2 MiB. The decoder skips white space, so the length tells whether there was any. */
export const decodeNatively: DecodeStrictly = (base64) => {
  try {
    const { written } = scratch.setFromBase64(base64, { lastChunkHandling: 'strict' })
    return Math.ceil(written / 3) * 4 === base64.length ? scratch.subarray(0, written) : undefined
  } catch {
    return undefined
  }
}

/** The same by way of Buffer, which is lenient: only what encodes back to the same text was strict. Ten times slower. */
export const decodeByRoundTrip: DecodeStrictly = (base64) => {
  const bytes = Buffer.from(base64, 'base64')
  return bytes.toString('base64') === base64 ? bytes : undefined
}

/** Node 24 does not have `setFromBase64` yet. */
export function chooseDecoder(prototype: object): DecodeStrictly {
  return 'setFromBase64' in prototype ? decodeNatively : decodeByRoundTrip
}

const decodeStrictly = chooseDecoder(Uint8Array.prototype)

/**
 * What is wrong with a document, or undefined. No regular expression ever runs over it: a pattern takes many times longer
 * than a decoder for megabytes.
 */
export function findDocumentFault(document: string): string | undefined {
  if (document.length > maxDocumentChars) return tooLarge
  const bytes = decodeStrictly(document)
  if (bytes === undefined) return notBase64
  if (bytes.byteLength > maxDocumentBytes) return tooLarge
  for (let i = 0; i < pdfMagic.length; i++) {
    if (bytes[i] !== pdfMagic.charCodeAt(i)) return notPdf
  }
  return undefined
}
