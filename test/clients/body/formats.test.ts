import t from 'tap'
import {
  countryCodes,
  emailPattern,
  isEmail,
  isInstant,
  isPastDate,
  languageCodes,
} from '../../../src/clients/body/formats.ts'

const pastDates: [text: string, isPast: boolean][] = [
  ['2024-02-29', true],
  ['2000-02-29', true],
  ['2023-02-29', false],
  ['1900-02-29', false],
  // In a leap year, where one day more exists and no other.
  ['2024-02-30', false],
  ['2024-02-31', false],
  ['2024-04-31', false],
  ['2024-13-01', false],
  ['2024-13-29', false],
  ['2024-00-29', false],
  ['2024-01-00', false],
  ['2024-01-01 2024-01-01', false],
]

for (const [text, isPast] of pastDates) {
  t.test(`${text} is ${isPast ? 'a date' : 'no date'}`, async (t) => t.equal(isPastDate(text), isPast))
}

t.test('a day has begun once it has in Bishkek', async (t) => {
  const { now } = Date
  t.teardown(() => {
    Date.now = now
  })
  const isPastAt = (instant: string, date: string) => {
    Date.now = () => Date.parse(instant)
    return isPastDate(date)
  }
  t.notOk(isPastAt('2024-06-30T17:59:59.999Z', '2024-07-01'))
  t.ok(isPastAt('2024-06-30T18:00:00Z', '2024-07-01'))
  t.notOk(isPastAt('2024-06-30T18:00:00Z', '2024-07-02'))
  t.notOk(isPastAt('2024-07-01T17:59:59.999Z', '2024-07-02'))
  t.ok(isPastAt('2024-07-01T18:00:00Z', '2024-07-02'))
})

const instants: [text: string, isOne: boolean][] = [
  ['2024-02-29T12:00:00Z', true],
  ['2024-02-30T12:00:00Z', false],
  ['2016-12-31T23:59:60Z', true],
  ['2016-12-31t23:59:60z', true],
  ['2017-01-01T04:59:60+05:00', true],
  ['2016-12-31T18:29:60-05:30', true],
  ['2016-12-31T18:59:60-05:30', false],
  ['2020-01-01 2020-01-01T00:00:00Z', false],
]

for (const [text, isOne] of instants) {
  t.test(`${text} is ${isOne ? 'an instant' : 'no instant'}`, async (t) => t.equal(isInstant(text), isOne))
}

t.test('codes are documented in the order of the alphabet', async (t) => {
  t.strictSame([countryCodes.at(0), countryCodes.at(-1)], ['ABW', 'ZWE'])
  t.strictSame([languageCodes.at(0), languageCodes.at(-1)], ['aa', 'zu'])
})

t.test('the documented pattern of an address works in every engine, and takes what the service takes', async (t) => {
  const pattern = new RegExp(emailPattern, 'u')
  for (const text of [
    'a@example.com',
    'a/b@example.com',
    "o'neil+kg@mail.example.uz",
    'a@b',
    '@example.com',
    'a b@c.uz',
  ]) {
    t.equal(pattern.test(text), isEmail(text), text)
  }
  t.ok(isEmail('a/b@example.com'))
})
