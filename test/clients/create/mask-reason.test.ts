import t from 'tap'
import type { CreateClient } from '../../../src/clients/body/schema.ts'
import { maskReason } from '../../../src/clients/create/mask-reason.ts'

const body: CreateClient = {
  phone: '+998901234567',
  type: 'individual',
  resident: true,
  firstName: 'Gulnora',
  lastName: 'Kim',
  middleName: 'Gulnora Karimovna',
  birthDate: '1990-02-28',
  email: 'gulnora.kim@example.com',
  country: 'UZB',
  personId: 'AB (7)',
  language: 'uz',
  document: 'JVBERi0xLjQKJSVFT0YK',
  externalUserId: 'user-42',
  registrationAddress: { country: 'KAZ', city: 'Tashkent', street: '1-Mahalla', building: '7A' },
  residentialAddress: { postalCode: '100-00' },
  identification: { identifiedAt: '2026-01-31T09:30:00+05:00', identifiedBy: 'operator-7' },
  branchId: 'north',
}

interface Row {
  name: string
  description: string
  shown: string
  isClean?: boolean
}

const rows: Row[] = [
  {
    name: 'words of its own stay',
    description: 'The client was refused',
    shown: 'The client was refused',
    isClean: true,
  },
  { name: 'an empty one stays empty', description: '', shown: '', isClean: true },
  { name: 'a name', description: 'Gulnora exists', shown: '*** exists' },
  { name: 'a name in capitals', description: 'GULNORA EXISTS', shown: '*** EXISTS' },
  { name: 'a name wherever it stands', description: 'Gulnora/Gulnora', shown: '***/***' },
  { name: 'a name within a longer one', description: 'no Gulnora Karimovna', shown: 'no ***' },
  { name: 'a short name', description: 'client Kim exists', shown: 'client *** exists' },
  { name: 'a short name at the end', description: 'exists: KIM', shown: 'exists: ***' },
  { name: 'no words that a short name is a part of', description: 'a kimono', shown: 'a kimono', isClean: true },
  { name: 'a value with special characters', description: 'id AB (7) is taken', shown: 'id *** is taken' },
  { name: 'a birth date', description: 'born 1990-02-28', shown: 'born ***' },
  { name: 'a birth date in another form', description: 'born 28.02.1990', shown: 'born ***' },
  { name: 'a birth date with slashes', description: 'born 28/02/1990', shown: 'born ***' },
  { name: 'a birth date with other words', description: 'born 28, 02, 1990', shown: 'born ***' },
  { name: 'the phone with slashes', description: 'phone 998/90/123/45/67', shown: 'phone ***' },
  { name: 'the phone with underscores', description: 'phone 998_90_123', shown: 'phone ***' },
  { name: 'a transliterated name', description: 'client Гулнора exists', shown: 'client *** exists' },
  { name: 'a name in any other script', description: 'Гулнора/გული', shown: '***/***' },
  { name: 'five digits', description: 'no 12345', shown: 'no ***' },
  { name: 'not four', description: 'no 1234', shown: 'no 1234' },
  { name: 'an e-mail address', description: 'mail <gulnora.kim@example.com>', shown: 'mail <***>' },
  { name: 'an e-mail address of anybody', description: 'mail x@y is taken', shown: 'mail *** is taken' },
  { name: 'the phone as it came', description: 'phone +998901234567 exists', shown: 'phone *** exists' },
  { name: 'the phone as a number', description: 'phone=998901234567.', shown: 'phone=***.' },
  { name: 'the phone in groups', description: 'phone +998 (90) 123-45-67 exists', shown: 'phone *** exists' },
  { name: 'a part of the phone', description: 'ends in 34567', shown: 'ends in ***' },
  { name: 'a city, a street, a building', description: 'Tashkent, 1-Mahalla, 7A', shown: '***, ***, ***' },
  { name: 'a postal code', description: 'no 100-00', shown: 'no ***' },
  { name: 'identifiers', description: 'user-42 by operator-7', shown: '*** by ***' },
  { name: 'the start of the document', description: `no ${'JVBERi0x'.repeat(9)}`, shown: 'no ***' },
  { name: 'a short document', description: 'no JVBERi0xLjQKJSVFT0YK!', shown: 'no ***' },
  { name: 'the first letters of a document', description: 'no JVBERi0x...', shown: 'no ***' },
  {
    name: 'a country, a language, a branch stay',
    description: 'UZB, KAZ, uz, north',
    shown: 'UZB, KAZ, uz, north',
    isClean: true,
  },
  { name: 'a kind of client stays', description: 'no individual', shown: 'no individual', isClean: true },
  { name: 'short numbers stay', description: 'at most 100 of 1000', shown: 'at most 100 of 1000' },
]

for (const { name, description, shown, isClean = false } of rows) {
  t.test(`of a description: ${name}`, async (t) => {
    t.strictSame(maskReason({ code: '1001', description }, body), { code: '1001', description: shown, isClean })
  })
}

t.test('however a name writes its apostrophe, it is found', async (t) => {
  const marks = ["'", 'ʻ', 'ʼ', '’', '‘', '`']
  for (const ours of marks) {
    for (const theirs of marks) {
      const { description, isClean } = maskReason(
        { description: `no G${theirs}iyosiddin` },
        { phone: '+998901234567', firstName: `G${ours}iyosiddin` },
      )
      t.strictSame({ description, isClean }, { description: 'no ***', isClean: false }, `${ours} ${theirs}`)
    }
  }
})

t.test('what is told whole is told as it came', async (t) => {
  const description = 'the client’s ʻdataʼ `is` wrong'
  t.strictSame(maskReason({ description }, body), { code: undefined, description, isClean: true })
})

t.test('without any name of the caller’s, words of another script are FreedomPay’s own', async (t) => {
  const description = 'Клиент отклонён'
  for (const nameless of [{ phone: '+998901234567' }, { phone: '+998901234567', personId: '12-3' }]) {
    t.strictSame(maskReason({ description }, nameless), { code: undefined, description, isClean: true })
  }
})

t.test('a number is never kept, even where it is told', async (t) => {
  t.strictSame(maskReason({ description: 'code 7' }, { phone: '+998901234567' }), {
    code: undefined,
    description: 'code 7',
    isClean: false,
  })
})

t.test('without a description there is only the code', async (t) => {
  t.strictSame(maskReason({ code: '1001' }, body), { code: '1001', isClean: true })
  t.strictSame(maskReason({}, body), { code: undefined, isClean: true })
})

t.test('a description is cut at 255 characters, and no character in two', async (t) => {
  t.equal(maskReason({ description: 'no! '.repeat(1000) }, body).description?.length, 255)
  t.equal(maskReason({ description: 'no'.padEnd(254, ' ').concat('😀') }, body).description?.at(-1), '\uFFFD')
})

t.test('a word is masked from 41 characters on', async (t) => {
  const says = (length: number) => maskReason({ description: 'x'.repeat(length) }, body).description
  t.equal(says(40), 'x'.repeat(40))
  t.equal(says(41), '***')
})

t.test('a value of four characters is found within a word, one of three is not', async (t) => {
  const says = (firstName: string) =>
    maskReason({ description: 'xAbcdx' }, { phone: '+1000000', firstName }).description
  t.equal(says('Abcd'), 'x***x')
  t.equal(says('Abc'), 'xAbcdx')
  t.equal(
    maskReason({ description: '7Abc, Abc7, Abc' }, { phone: '+1000000', firstName: 'Abc' }).description,
    '7Abc, Abc7, ***',
  )
})

t.test('a value that looks like the mask does no harm', async (t) => {
  const { description } = maskReason({ description: '* and **' }, { ...body, personId: '*', externalUserId: '**' })
  t.equal(description, '*** and ***')
})

t.test('a value is found wherever the cut would be', async (t) => {
  for (let before = 236; before < 260; before++) {
    const { description } = maskReason({ description: `${'- '.repeat(130).slice(-before)}Gulnora` }, body)
    t.notMatch(description, /g/i, `${before} characters before it`)
  }
})
