import t from 'tap'
import type { CreateClient } from '../../../src/clients/body/schema.ts'
import { withoutPersonalData } from '../../../src/clients/create/mask-reason.ts'

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
}

const rows: Row[] = [
  { name: 'words of its own stay', description: 'The client was refused', shown: 'The client was refused' },
  { name: 'an empty one stays empty', description: '', shown: '' },
  { name: 'a name', description: 'Gulnora exists', shown: '*** exists' },
  { name: 'a name in capitals', description: 'GULNORA EXISTS', shown: '*** EXISTS' },
  { name: 'a name wherever it stands', description: 'Gulnora/Gulnora', shown: '***/***' },
  { name: 'a name within a longer one', description: 'no Gulnora Karimovna', shown: 'no ***' },
  { name: 'a short name', description: 'client Kim exists', shown: 'client *** exists' },
  { name: 'a short name at the end', description: 'exists: KIM', shown: 'exists: ***' },
  { name: 'no words that a short name is a part of', description: 'a kimono, Акимов', shown: 'a kimono, Акимов' },
  { name: 'a value with special characters', description: 'id AB (7) is taken', shown: 'id *** is taken' },
  { name: 'a birth date', description: 'born 1990-02-28', shown: 'born ***' },
  { name: 'a birth date in another form', description: 'born 28.02.1990', shown: 'born ***' },
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
  { name: 'a country, a language, a branch stay', description: 'UZB, KAZ, uz, north', shown: 'UZB, KAZ, uz, north' },
  { name: 'a kind of client stays', description: 'no individual', shown: 'no individual' },
  { name: 'short numbers stay', description: 'at most 100 of 1000', shown: 'at most 100 of 1000' },
]

for (const { name, description, shown } of rows) {
  t.test(`of a description: ${name}`, async (t) => {
    t.strictSame(withoutPersonalData({ code: '1001', description }, body), { code: '1001', description: shown })
  })
}

t.test('without a description there is only the code', async (t) => {
  t.strictSame(withoutPersonalData({ code: '1001' }, body), { code: '1001' })
  t.strictSame(withoutPersonalData({}, body), { code: undefined })
})

t.test('a description is cut at 255 characters', async (t) => {
  const { description } = withoutPersonalData({ description: 'no! '.repeat(1000) }, body)
  t.equal(description?.length, 255)
})

t.test('a value that looks like the mask does no harm', async (t) => {
  const { description } = withoutPersonalData(
    { description: '* and **' },
    { ...body, personId: '*', externalUserId: '**' },
  )
  t.equal(description, '*** and ***')
})

t.test('a value is found wherever the cut would be', async (t) => {
  for (let before = 236; before < 260; before++) {
    const { description } = withoutPersonalData({ description: `${'- '.repeat(130).slice(-before)}Gulnora` }, body)
    t.notMatch(description, /g/i, `${before} characters before it`)
  }
})
