/** FreedomPay's description of a refusal is free text, and may quote what it refuses. */
import type { PartnerReason } from '../../problems/problem.ts'
import type { CreateClient } from '../body/schema.ts'

const maxLength = 255
const mask = '***'
/** Shorter values, such as a surname of three letters, are parts of ordinary words and only masked where they stand alone. */
const shortestWithinWords = 4
/** No word is as long, but the Base64 of a document is. */
const longestWord = 40

/** Base64 of `%PDF-`, which every document begins with. */
const documentStart = /JVBERi/i

/** Members that say nothing about a person, so that a refusal may name their values; and the document, which is no text. */
const notPersonal = new Set(['type', 'country', 'language', 'branchId', 'document'])

/** Five digits or more, whatever groups them: phone numbers, dates, personal numbers. */
const longNumber = /\+?\d(?:[\s().-]{0,2}\d){4,}/g

/** Takes the caller's own values, long numbers and e-mail addresses out of it, so that it can be kept and shown. */
export function withoutPersonalData({ code, description }: PartnerReason, body: CreateClient): PartnerReason {
  if (description === undefined) return { code }
  // All in one pass, so that no value is looked for within a mask.
  const personal = new RegExp(personalTexts(body).map(toPattern).join('|'), 'giu')
  const text = description
    .replace(personal, mask)
    .replace(longNumber, mask)
    .replace(/\S+/g, (word) => (isAddressOrData(word) ? mask : word))
  // Last, as a value that is cut in two would not be found.
  return { code, description: text.slice(0, maxLength) }
}

function isAddressOrData(word: string): boolean {
  return word.includes('@') || word.length > longestWord || documentStart.test(word)
}

function toPattern(value: string): string {
  const literal = RegExp.escape(value)
  return value.length < shortestWithinWords ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])` : literal
}

/** Longest first, so that no part of one is left. */
function personalTexts(members: object): string[] {
  return Object.entries(members)
    .filter(([name]) => !notPersonal.has(name))
    .flatMap(([, value]) => (typeof value === 'object' ? personalTexts(value) : [value]))
    .filter((value) => typeof value === 'string')
    .sort((a, b) => b.length - a.length)
}
