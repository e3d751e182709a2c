/** The identity document: Base64 of a PDF, at most 2 MiB decoded (docs.freedompay.uz/api-13679535 says 2 MB). */

export const maxDocumentBytes = 2 * 1024 * 1024
export const maxDocumentChars = Math.ceil(maxDocumentBytes / 3) * 4
const pdfMagic = '%PDF-'

/** Strict Base64 of a text that starts with `%PDF-`, for OpenAPI only. Four of the six bits of the seventh character belong to `-`. */
export const documentPattern =
  '^JVBERi(?:0=|[0-3][A-Za-z0-9+/](?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?)$'

const tooLarge = 'must be a PDF of at most 2 MiB (2097152 bytes) before Base64'
const notBase64 = 'must be Base64 (RFC 4648 §4), padded, without line breaks'
const notPdf = 'must be a PDF: its first bytes are %PDF-'

/** Holds one document while it is checked. Allocating 2 MiB for each document costs more than decoding them. */
const scratch = new Uint8Array(maxDocumentBytes + 3)

/**
 * Decodes strictly: standard alphabet, padding, zero pad bits, no other character; otherwise undefined. The result is a view of
 * reused memory. 2 MiB take 0.2 ms. The decoder skips white space, so the length shows whether there was any.
 */
export function decodeStrictly(base64: string): Uint8Array | undefined {
  try {
    const { written } = scratch.setFromBase64(base64, { lastChunkHandling: 'strict' })
    return Math.ceil(written / 3) * 4 === base64.length ? scratch.subarray(0, written) : undefined
  } catch {
    return undefined
  }
}

/** Otherwise a core dump would show the last document. */
function wipe(base64: string): void {
  scratch.fill(0, 0, Math.ceil(base64.length / 4) * 3)
}

/**
 * The fault of a document, or undefined. No regular expression runs over a document: for megabytes a pattern takes many times
 * longer than the decoder.
 */
export function findDocumentFault(document: string): string | undefined {
  if (document.length > maxDocumentChars) return tooLarge
  const fault = findFaultOf(decodeStrictly(document))
  wipe(document)
  return fault
}

function findFaultOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return notBase64
  if (bytes.byteLength > maxDocumentBytes) return tooLarge
  for (let i = 0; i < pdfMagic.length; i++) {
    if (bytes[i] !== pdfMagic.charCodeAt(i)) return notPdf
  }
  return undefined
}
