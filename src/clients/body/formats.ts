/** The forms of single values that JSON Schema cannot say, or not as cheaply. */
import codes from 'i18n-iso-countries/codes.json' with { type: 'json' }
import iso6391 from 'iso-639-1'

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

const daysInMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const date = /^\d{4}-\d{2}-\d{2}$/

/** Two decimal digits of a text. */
function readTwo(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48
}

/** Whether a text begins with a calendar date (RFC 3339 full-date) that exists; its form has been checked. */
function hasRealDate(text: string): boolean {
  const year = readTwo(text, 0) * 100 + readTwo(text, 2)
  const month = readTwo(text, 5)
  const day = readTwo(text, 8)
  const isLeapDay = month === 2 && day === 29 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return isLeapDay || (day >= 1 && day <= (daysInMonth[month - 1] ?? 0))
}

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
  return date.test(text) && hasRealDate(text) && text <= todayAtTheLatest()
}

/** RFC 3339 date-time with its mandatory offset; whether the day exists is more than a pattern can say. */
const instant =
  /^\d{4}-\d{2}-\d{2}[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

export const instantPattern = instant.source

const minutesOfDay = 24 * 60

/** RFC 3339 date-time: the offset is mandatory, the day must exist, a leap second is the last one of a day in UTC. */
export function isInstant(text: string): boolean {
  if (!instant.test(text) || !hasRealDate(text)) return false
  if (readTwo(text, 17) !== 60) return true
  const zoneAt = text.length - 6
  const sign = text.endsWith('Z') || text.endsWith('z') ? 0 : text[zoneAt] === '-' ? -1 : 1
  const offset = sign * (readTwo(text, zoneAt + 1) * 60 + readTwo(text, zoneAt + 4))
  const minuteInUtc = (readTwo(text, 11) * 60 + readTwo(text, 14) - offset + minutesOfDay) % minutesOfDay
  return minuteInUtc === minutesOfDay - 1
}
