/** From the bytes of a body to its JSON value. */
import { isAscii, isUtf8 } from 'node:buffer'
import { Problem } from '../problems/problem.ts'

/**
 * No valid body reaches this limit: a valid body has some 30 members and some 3000 characters of text besides the document, and the
 * Base64 of a document contains none of the structural characters.
 */
const maxOfEach = 4096
const structural = Buffer.from('"[{,')

/**
 * A million brackets take the parser 400 ms, and no other request is served meanwhile. Any other body of the largest size takes at
 * most 16 ms. Counting takes 0.2 ms, as these characters are rare in a body with a document.
 * @throws Problem invalid-request
 */
export function requireLittleStructure(body: Buffer): void {
  for (const character of structural) {
    let count = 0
    for (let at = body.indexOf(character); at >= 0; at = body.indexOf(character, at + 1)) {
      if (++count > maxOfEach) throw unreadableBody('must be a JSON object with the members of this contract')
    }
  }
}

/**
 * JSON.parse makes `__proto__` an ordinary member, and validation refuses unknown members. So the body needs no scan for that name.
 * @throws Problem invalid-request
 */
export function parseJson(body: Buffer): unknown {
  // Most bodies are ASCII, which is decoded at half the cost.
  const isPlain = isAscii(body)
  if (!isPlain && !isUtf8(body)) throw unreadableBody('must be UTF-8')
  try {
    return JSON.parse(isPlain ? body.toString('latin1') : body.toString())
  } catch (error) {
    // The parser's message quotes the body, so only the position is told.
    const position = / in JSON at position (\d+)/.exec((error as Error).message)?.[1]
    throw unreadableBody(
      `must be a JSON object${position === undefined ? '' : `; unreadable at character ${position}`}`,
    )
  }
}

function unreadableBody(message: string): Problem {
  return new Problem('invalid-request', { errors: [{ pointer: '', message }] })
}
