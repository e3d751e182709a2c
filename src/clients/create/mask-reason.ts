/** FreedomPay's description of a refusal is free text, and may quote the client's data. */
import type { PartnerReason } from '../../partner/outcome.ts'
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

/** Five digits or more, in any grouping: phone numbers, dates, personal numbers. */
const longNumber = /\+?\d(?:[\s().,:/_-]{0,2}\d){4,}/g

/** A word in another script may be a name of the caller's, transliterated: no comparison would find it. */
const otherScript = /(?=\p{L})\P{Script=Latin}[\p{L}\p{M}]*/gu

const apostrophes = /['\u2018\u2019\u02bb\u02bc`]/g

export interface MaskedReason extends PartnerReason {
  /** Whether there was nothing to mask: only then the description may be kept. */
  readonly isClean: boolean
}

/** Takes the caller's own values, long numbers and e-mail addresses out of FreedomPay's description, so that it can be told. */
export function maskReason({ code, description }: PartnerReason, body: CreateClient): MaskedReason {
  if (description === undefined) return { code, isClean: true }
  // Never empty, as every body has a phone.
  const personal = personalTexts(body)
  // One form of apostrophe on both sides, and all in one pass, so that no value is looked for within a mask.
  const pattern = new RegExp(personal.map((value) => toPattern(value.replace(apostrophes, "'"))).join('|'), 'giu')
  const plain = description.replace(apostrophes, "'")
  const hasNames = personal.some((value) => /\p{L}/u.test(value))
  const masked = plain
    .replace(pattern, mask)
    .replace(longNumber, mask)
    .replace(otherScript, hasNames ? mask : '$&')
    .replace(/\S+/g, (word) => (isAddressOrData(word) ? mask : word))
  const isClean = masked === plain && !/\d/.test(plain)
  // Last, as a value that is cut in two would not be found.
  return { code, description: (isClean ? description : masked).slice(0, maxLength).toWellFormed(), isClean }
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
