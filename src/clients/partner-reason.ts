/** FreedomPay's description of a refusal is free text, and may quote what it refuses. */
import type { PartnerReason } from '../problems.ts'
import type { CreateClient } from './schema.ts'

const maxLength = 255
const mask = '***'
/** Shorter values, such as a country or a language, are no personal data by themselves and would blot out ordinary words. */
const shortestMasked = 4

/** Takes the caller's own values, long numbers and e-mail addresses out of it, so that it can be kept and shown. */
export function withoutPersonalData({ code, description }: PartnerReason, body: CreateClient): PartnerReason {
  if (description === undefined) return { code }
  let text = description.slice(0, maxLength)
  for (const value of personalTexts(body)) text = text.replaceAll(value, mask)
  return { code, description: text.replace(/[^\s@]+@[^\s@]+/g, mask).replace(/\+?\d{5,}/g, mask) }
}

function personalTexts({ document: _, type: __, ...members }: CreateClient): string[] {
  const texts = Object.values(members).flatMap((value) => (typeof value === 'object' ? Object.values(value) : [value]))
  return texts
    .filter((text): text is string => typeof text === 'string' && text.length >= shortestMasked)
    .sort((a, b) => b.length - a.length)
}
