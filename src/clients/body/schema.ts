/** Our contract with the callers of `POST /clients`: flat, nothing unknown, nothing coerced. */
import Type, { type Static, type TSchema } from 'typebox'
import { PartnerReason } from '../../problems/problem.ts'
import { isCountry, isEmail, isInstant, isLanguage, isLatinName, isPastDate, isPhone, phonePattern } from './formats.ts'
import { findDocumentFault } from './pdf-document.ts'

/** A rule that JSON Schema cannot say, with the sentence that the caller reads when it is broken. */
function refine<T extends TSchema>(schema: T, isValid: (value: Static<T>) => boolean, message: string) {
  return Type.Refine(
    schema,
    (value) => isValid(value as Static<T>),
    () => message,
  )
}

/** Half a surrogate pair is no text: it cannot be written in UTF-8. */
function Text(maxLength: number, description: string, examples: string[]) {
  const pattern = `^[^\\p{Cc}\\p{Cs}]{1,${maxLength}}$`
  const message = `must be a text of 1 to ${maxLength} characters without control characters`
  const check = new RegExp(pattern, 'u')
  return refine(Type.String({ description, examples, minLength: 1, maxLength }), (value) => check.test(value), message)
}

function Name(description: string, example: string) {
  const rest = 'with at least one letter; letters with marks must be composed (Unicode NFC)'
  const message = `must be 1 to 100 Latin letters, spaces, apostrophes, hyphens or full stops, ${rest}`
  return refine(
    Type.String({ description: `${description}, ${rest}`, examples: [example], minLength: 1, maxLength: 100 }),
    isLatinName,
    message,
  )
}

const countryMessage = 'must be an ISO 3166-1 alpha-3 code that exists, in upper case, such as UZB'

function Country(description: string) {
  return refine(Type.String({ description, examples: ['UZB'], minLength: 3, maxLength: 3 }), isCountry, countryMessage)
}

function Address(description: string) {
  return Type.Object(
    {
      country: Type.Optional(Country('ISO 3166-1 alpha-3')),
      postalCode: Type.Optional(Text(255, 'Postal code', ['100000'])),
      city: Type.Optional(Text(255, 'City', ['Tashkent'])),
      street: Type.Optional(Text(255, 'Street', ['Amir Temur'])),
      building: Type.Optional(Text(255, 'Building and premises', ['12-34'])),
    },
    { additionalProperties: false, minProperties: 1, description },
  )
}

const phoneMessage = 'must be a phone number in E.164 form, such as +998901234567'
const birthDateMessage = 'must be a date that exists and is not in the future, as YYYY-MM-DD'
const emailMessage = 'must be an e-mail address of at most 254 characters'
const languageMessage = 'must be an ISO 639-1 code that exists, in lower case, such as uz'
const instantMessage = 'must be an RFC 3339 date and time with an offset, such as 2026-01-31T09:30:00+05:00'

const Phone = refine(
  Type.String({
    description: 'E.164. The only member that every region requires',
    examples: ['+998901234567'],
    pattern: phonePattern,
  }),
  isPhone,
  phoneMessage,
)

const BirthDate = refine(
  Type.String({ description: 'Date of birth', examples: ['1990-02-28'] }),
  isPastDate,
  birthDateMessage,
)

const Email = refine(
  Type.String({ description: 'E-mail address', examples: ['alisher@example.com'] }),
  isEmail,
  emailMessage,
)

const Language = refine(
  Type.String({ description: 'ISO 639-1', examples: ['uz'], minLength: 2, maxLength: 2 }),
  isLanguage,
  languageMessage,
)

const documentDescription =
  'Base64 (RFC 4648 §4, padded, no line breaks) of a PDF of at most 2 MiB. Its length is checked while it is decoded'

/** No maxLength, no pattern: see document.ts, whose message tells the three faults apart. */
const Document = Type.Refine(
  Type.String({ description: documentDescription, contentEncoding: 'base64', contentMediaType: 'application/pdf' }),
  (value) => findDocumentFault(value as string) === undefined,
  (value) => String(findDocumentFault(value as string)),
)

const Identification = Type.Object(
  {
    identifiedAt: refine(
      Type.String({
        description: 'When, RFC 3339 with offset',
        examples: ['2026-01-31T09:30:00+05:00'],
      }),
      isInstant,
      instantMessage,
    ),
    identifiedBy: Text(255, 'Who identified the client, as an identifier of yours', ['operator-7']),
  },
  { additionalProperties: false, description: 'How the client was identified' },
)

export const CreateClient = Type.Object(
  {
    phone: Phone,
    type: Type.Optional(
      Type.Enum(['individual', 'legal-entity', 'individual-entrepreneur'], { description: 'Kind of client' }),
    ),
    resident: Type.Optional(Type.Boolean({ description: 'Whether the client is a resident' })),
    firstName: Type.Optional(Name('First name in Latin script', 'Alisher')),
    lastName: Type.Optional(Name('Last name in Latin script', 'Navoiy')),
    middleName: Type.Optional(Name('Middle name in Latin script', 'Gʻiyosiddin')),
    birthDate: Type.Optional(BirthDate),
    email: Type.Optional(Email),
    country: Type.Optional(Country('Country of residence, ISO 3166-1 alpha-3')),
    personId: Type.Optional(
      Text(64, 'Identifier in the country of residence, e.g. a tax or personal number', ['12345678901234']),
    ),
    language: Type.Optional(Language),
    document: Type.Optional(Document),
    externalUserId: Type.Optional(Text(128, 'The client’s identifier in your system', ['user-42'])),
    registrationAddress: Type.Optional(Address('Where the client is registered')),
    residentialAddress: Type.Optional(Address('Where the client lives')),
    identification: Type.Optional(Identification),
    productId: Type.Optional(
      Type.Integer({ description: 'FreedomPay’s product; the service has a default and a list of allowed ones' }),
    ),
    branchId: Type.Optional(
      Text(255, 'FreedomPay’s branch; the service may have a default and has a list of allowed ones', ['001']),
    ),
  },
  { additionalProperties: false, description: 'The client to create. Absent members are absent at FreedomPay, too.' },
)
export type CreateClient = Static<typeof CreateClient>

export type Member = keyof CreateClient
export const members = Object.keys(CreateClient.properties) as Member[]

const requestId = Type.String({ format: 'uuid', description: 'Identifies this create, here and at FreedomPay' })
const updatedAt = Type.String({ format: 'date-time', description: 'When this was learnt' })
const clientId = Type.String({ description: 'FreedomPay’s identifier of the client' })

export const CreatedClient = Type.Object(
  { requestId, status: Type.Literal('created'), clientId: Type.Optional(clientId), updatedAt },
  { title: 'CreatedClient', description: 'FreedomPay has created the client' },
)
export type CreatedClient = Static<typeof CreatedClient>

export const PendingClient = Type.Object(
  {
    requestId,
    status: Type.Enum(['processing', 'unknown'], {
      description: 'processing: FreedomPay is at work. unknown: it may or may not have created the client',
    }),
    updatedAt,
  },
  { title: 'PendingClient', description: 'The outcome is not final yet' },
)
export type PendingClient = Static<typeof PendingClient>

export const RejectedClient = Type.Object(
  { requestId, status: Type.Literal('rejected'), partner: PartnerReason, updatedAt },
  { title: 'RejectedClient', description: 'FreedomPay rejected the client; final' },
)

export const NotCreatedClient = Type.Object(
  { requestId, status: Type.Literal('not-created'), updatedAt },
  { title: 'NotCreatedClient', description: 'FreedomPay did not take the request, so there is no client' },
)

const toReference = (name: string) => `#/components/schemas/${name}`

/** What is known of a create: `status` tells which members there are. */
export const ClientRequest = Type.Union([CreatedClient, PendingClient, RejectedClient, NotCreatedClient], {
  title: 'ClientRequest',
  discriminator: {
    propertyName: 'status',
    mapping: {
      created: toReference('CreatedClient'),
      processing: toReference('PendingClient'),
      unknown: toReference('PendingClient'),
      rejected: toReference('RejectedClient'),
      'not-created': toReference('NotCreatedClient'),
    },
  },
})
export type ClientRequest = Static<typeof ClientRequest>
