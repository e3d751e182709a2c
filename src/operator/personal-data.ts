/** An operator's text is kept in the row, and a row holds no personal data. */
import { usageError } from './exit.ts'

/** Five digits or more, in any grouping: phone numbers, dates of birth, personal numbers. */
const longNumber = /\p{Nd}(?:[^\p{L}\p{Nd}]{0,3}\p{Nd}){4,}/u

const longest = { by: 100, why: 500 } as const

/** @throws OperatorError where the text is empty, too long, or holds what looks like personal data */
export function checkText(name: keyof typeof longest, text: string | undefined): string {
  const trimmed = text?.trim() ?? ''
  if (trimmed === '') throw usageError(`--${name} is required`)
  if (trimmed.length > longest[name]) throw usageError(`--${name} is longer than ${longest[name]} characters`)
  if (/\p{Cc}/u.test(trimmed) || !trimmed.isWellFormed()) throw usageError(`--${name} holds control characters`)
  if (/[@＠]/u.test(trimmed)) {
    throw usageError(`--${name} must hold no personal data, and an @ looks like an e-mail address`)
  }
  if (longNumber.test(trimmed)) {
    throw usageError(
      `--${name} must hold no personal data, and five digits or more look like a phone number, a date or a document; name a ticket by a shorter number`,
    )
  }
  return trimmed
}
