/**
 * The body in OpenAPI: the rules of schema.ts, as far as JSON Schema can say them. The service does not validate with this schema;
 * a contract test compares both.
 */
import type { TSchema } from 'typebox'
import { countryCodes, emailPattern, instantPattern, languageCodes, latinNamePattern } from './formats.ts'
import { documentPattern, maxDocumentChars } from './pdf-document.ts'
import { CreateClient } from './schema.ts'

/** A schema with the annotations that TypeBox's own types leave out. */
type Described = TSchema & { readonly description?: string }

const { properties } = CreateClient
const described: Record<string, Described> = properties

/** No control characters. The pattern works in every regular-expression engine, but lets a lone surrogate through. */
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
