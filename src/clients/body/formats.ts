/** The forms of single values that JSON Schema cannot say, or not as cheaply. */
import codes from 'i18n-iso-countries/codes.json' with { type: 'json' }
import iso6391 from 'iso-639-1'
import { IsDate, IsDateTime } from 'typebox/format'

/** XKK is user-assigned, so ISO 3166-1 does not have it. */
export const countryCodes = codes
  .map(([, alpha3]) => alpha3)
  .filter((alpha3) => alpha3 !== 'XKK')
  .sort()
export const languageCodes: string[] = iso6391.getAllCodes().sort()
const countries = new Set(countryCodes)
const languages = new Set(languageCodes)

/** ISO 3166-1 alpha-3, in upper case. */
export function isCountry(text: string): boolean {
  return countries.has(text)
}

/** ISO 639-1, in lower case. */
export function isLanguage(text: string): boolean {
  return languages.has(text)
}

export const latinNamePattern = "^(?=.*\\p{L})(?:(?=\\p{L})\\p{Script=Latin}|[ 'ʻʼ’.-]){1,100}$"
const latinName = new RegExp(latinNamePattern, 'u')

export function isLatinName(text: string): boolean {
  return latinName.test(text)
}

/** E.164. */
export const phonePattern = '^\\+[1-9][0-9]{6,14}$'
const phone = new RegExp(phonePattern)

export function isPhone(text: string): boolean {
  return phone.test(text)
}

const email =
  /^(?=.{3,254}$)(?=[^@]{1,64}@)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]$/
export const emailPattern = email.source

/** An address of RFC 5321's usual form; whether it receives mail only a mail can tell. */
export function isEmail(text: string): boolean {
  return email.test(text)
}

/** The latest calendar of FreedomPay's three countries: Kyrgyzstan keeps UTC+6. */
const latestOffsetMs = 6 * 60 * 60 * 1000

const dayMs = 24 * 60 * 60 * 1000
let today = { day: 0, date: '' }

/** Today's date where it is latest, remembered for the day. */
function todayAtTheLatest(): string {
  const day = Math.floor((Date.now() + latestOffsetMs) / dayMs)
  if (day !== today.day) today = { day, date: new Date(day * dayMs).toISOString().slice(0, 10) }
  return today.date
}

/** A calendar date that exists and has begun somewhere in FreedomPay's countries. */
export function isPastDate(text: string): boolean {
  return IsDate(text) && text <= todayAtTheLatest()
}

/** Stricter than `date-time`: no suffix of RFC 9557, at most nanoseconds. That the day exists is more than a pattern can say. */
const instant =
  /^\d{4}-\d{2}-\d{2}[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

export const instantPattern = instant.source

/** RFC 3339 date-time: the offset is mandatory, the day must exist, a leap second is the last one of a day in UTC. */
export function isInstant(text: string): boolean {
  return instant.test(text) && IsDateTime(text)
}
