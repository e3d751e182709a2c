/** The forms of single values that JSON Schema cannot say, or not as cheaply. */
import codes from 'i18n-iso-countries/codes.json' with { type: 'json' }
import iso6391 from 'iso-639-1'

/** XKK is user-assigned, so ISO 3166-1 does not have it. */
const countries = new Set(codes.map(([, alpha3]) => alpha3).filter((alpha3) => alpha3 !== 'XKK'))
const languages = new Set<string>(iso6391.getAllCodes())

/** ISO 3166-1 alpha-3, in upper case. */
export function isCountry(text: string): boolean {
  return countries.has(text)
}

/** ISO 639-1, in lower case. */
export function isLanguage(text: string): boolean {
  return languages.has(text)
}

const latinName = /^(?=.*\p{L})(?:(?=\p{L})\p{Script=Latin}|[ 'ʻʼ’.-]){1,100}$/u

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
  /^(?=.{3,254}$)(?=[^@]{1,64}@)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$/i

/** An address of RFC 5321's usual form; whether it receives mail only a mail can tell. */
export function isEmail(text: string): boolean {
  return email.test(text)
}

/** The latest calendar of FreedomPay's three countries: Kyrgyzstan keeps UTC+6. */
const latestOffsetMs = 6 * 60 * 60 * 1000

const daysInMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Whether a text is a calendar date (RFC 3339 full-date) that exists. */
function isRealDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (match === null) return false
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
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
  return isRealDate(text) && text <= todayAtTheLatest()
}

const instant =
  /^(\d{4}-\d{2}-\d{2})[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.\d{1,9})?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))$/

const minutesOfDay = 24 * 60

/** RFC 3339 date-time: the offset is mandatory, the day must exist, a leap second is the last one of a day in UTC. */
export function isInstant(text: string): boolean {
  const match = instant.exec(text)
  if (match === null) return false
  const [, date = '', hours, minutes, seconds, sign, offsetHours = '0', offsetMinutes = '0'] = match
  const offset = Number(`${sign ?? ''}1`) * (Number(offsetHours) * 60 + Number(offsetMinutes))
  const minuteInUtc = (Number(hours) * 60 + Number(minutes) - offset + minutesOfDay) % minutesOfDay
  return isRealDate(date) && (seconds !== '60' || minuteInUtc === minutesOfDay - 1)
}
