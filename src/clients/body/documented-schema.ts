/**
 * What OpenAPI says of the body: the rules of schema.ts as far as JSON Schema can say them. Nothing is checked by these words; a
 * contract test holds them to what the service does.
 */
import type { TSchema } from 'typebox'
import { countryCodes, emailPattern, instantPattern, languageCodes, latinNamePattern } from './formats.ts'
import { documentPattern, maxDocumentChars } from './pdf-document.ts'
import { CreateClient } from './schema.ts'

/** A schema with the words about it that TypeBox's own types leave out. */
type Described = TSchema & { readonly description?: string }

const { properties } = CreateClient
const described: Record<string, Described> = properties

/** Without control characters. Every engine of regular expressions reads it; half a surrogate pair is the one thing that it lets through. */
const textPattern = '^[^\\u0000-\\u001F\\u007F-\\u009F]*$'

const country = {
  type: 'string',
  title: 'Country',
  description: 'ISO 3166-1 alpha-3',
  enum: countryCodes,
  examples: ['UZB'],
}
const language = { type: 'string', title: 'Language', description: 'ISO 639-1', enum: languageCodes, examples: ['uz'] }

/** A text without control characters. */
function asText(schema: TSchema): TSchema {
  return { ...schema, pattern: textPattern }
}

function asName(schema: TSchema): TSchema {
  return { ...schema, pattern: latinNamePattern }
}

const lines = properties.registrationAddress.properties

function asAddress({ description, ...address }: Described): TSchema {
  return {
    ...address,
    title: 'Address',
    description: 'An address',
    'x-use': description,
    properties: {
      country,
      postalCode: asText(lines.postalCode),
      city: asText(lines.city),
      street: asText(lines.street),
      building: asText(lines.building),
    },
  }
}

const { identification } = properties
const { identifiedAt, identifiedBy } = identification.properties

export const documentedBody = {
  ...CreateClient,
  title: 'CreateClient',
  properties: {
    ...properties,
    type: { ...properties.type, title: 'ClientType' },
    firstName: asName(properties.firstName),
    lastName: asName(properties.lastName),
    middleName: asName(properties.middleName),
    birthDate: { ...properties.birthDate, format: 'date', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' },
    email: { ...properties.email, format: 'email', minLength: 3, maxLength: 254, pattern: emailPattern },
    country: { ...country, 'x-use': described.country?.description },
    personId: asText(properties.personId),
    language,
    document: { ...properties.document, maxLength: maxDocumentChars, pattern: documentPattern },
    externalUserId: asText(properties.externalUserId),
    registrationAddress: asAddress(properties.registrationAddress),
    residentialAddress: asAddress(properties.residentialAddress),
    identification: {
      ...identification,
      title: 'Identification',
      properties: {
        identifiedAt: { ...identifiedAt, format: 'date-time', pattern: instantPattern },
        identifiedBy: asText(identifiedBy),
      },
    },
    branchId: asText(properties.branchId),
  },
}
