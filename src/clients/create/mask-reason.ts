/** FreedomPay's description of a rejection is free text, and may quote the client's data. */
import type { PartnerReason } from '../../partner/outcome.ts'
import type { CreateClient } from '../body/schema.ts'

const maxLength = 255
const mask = '***'
/** A shorter value (a surname of three letters) may be a part of an ordinary word, so only a whole word is masked. */
const shortestWithinWords = 4
/** A longer word is taken for the Base64 of a document. */
const longestWord = 40

/** Base64 of `%PDF-`, which every document begins with. */
const documentStart = /JVBERi/i

/**
 * Members that do not identify a person, so that a rejection may quote their values; and the document, because a document is
 * not text.
 */
const notPersonal = new Set(['type', 'country', 'language', 'branchId', 'document'])

/** Five digits or more, in any grouping: phone numbers, dates, personal numbers. */
const longNumber = /\+?\d(?:[\s().,:/_-]{0,2}\d){4,}/g

/** A word in another script may be a transliterated name: a comparison with the body would not find the name. */
const otherScript = /(?=\p{L})\P{Script=Latin}[\p{L}\p{M}]*/gu

const apostrophes = /['\u2018\u2019\u02bb\u02bc`]/g

export interface MaskedReason extends PartnerReason {
  /** True if no word was masked: only then may the ledger keep the description. */
  readonly isClean: boolean
}

/** Masks the body's values, long numbers and e-mail addresses, so that the caller may read FreedomPay's description. */
export function maskReason({ code, description }: PartnerReason, body: CreateClient): MaskedReason {
  if (description === undefined) return { code, isClean: true }
  // Never empty: every body has a phone.
  const personal = personalTexts(body)
  // Both sides use one form of apostrophe. One pass replaces all values, so that no value is searched inside a mask.
  const pattern = new RegExp(personal.map((value) => toPattern(value.replace(apostrophes, "'"))).join('|'), 'giu')
  const plain = description.replace(apostrophes, "'")
  const hasNames = personal.some((value) => /\p{L}/u.test(value))
  const masked = plain
    .replace(pattern, mask)
    .replace(longNumber, mask)
    .replace(otherScript, hasNames ? mask : '$&')
    .replace(/\S+/g, (word) => (isAddressOrData(word) ? mask : word))
  const isClean = masked === plain && !/\d/.test(plain)
  // The text is cut last: a value that is cut in two would not be found.
  return { code, description: (isClean ? description : masked).slice(0, maxLength).toWellFormed(), isClean }
}

function isAddressOrData(word: string): boolean {
  return word.includes('@') || word.length > longestWord || documentStart.test(word)
}

function toPattern(value: string): string {
  const literal = RegExp.escape(value)
  return value.length < shortestWithinWords ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])` : literal
}

/** Longest first, so that no part of a longer value stays unmasked. */
function personalTexts(members: object): string[] {
  return Object.entries(members)
    .filter(([name]) => !notPersonal.has(name))
    .flatMap(([, value]) => (typeof value === 'object' ? personalTexts(value) : [value]))
    .filter((value) => typeof value === 'string')
    .sort((a, b) => b.length - a.length)
}
