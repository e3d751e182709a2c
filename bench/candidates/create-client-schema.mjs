/** `POST /clients` in JSON Schema, as people write it: a pattern and a length on everything, the document included. */
const text = { type: 'string', minLength: 1, maxLength: 255 }
const name = { type: 'string', minLength: 1, maxLength: 100, pattern: "^[A-Za-zÀ-ɏ'ʻʼ’ .-]+$" }
const country = { type: 'string', pattern: '^[A-Z]{3}$' }
const address = {
  type: 'object',
  required: ['country', 'postalCode', 'city', 'street', 'building'],
  additionalProperties: false,
  properties: { country, postalCode: text, city: text, street: text, building: text },
}

/** 2 MiB in Base64. */
const documentMaxLength = Math.ceil((2 * 1024 ** 2) / 3) * 4

export const createClientSchema = {
  type: 'object',
  required: ['phone'],
  additionalProperties: false,
  properties: {
    phone: { type: 'string', pattern: '^\\+[1-9][0-9]{6,14}$' },
    type: { enum: ['individual', 'legal-entity', 'individual-entrepreneur'] },
    resident: { type: 'boolean' },
    firstName: name,
    lastName: name,
    middleName: name,
    birthDate: { type: 'string', format: 'date' },
    email: { type: 'string', format: 'email', maxLength: 255 },
    country,
    personId: { type: 'string', minLength: 1, maxLength: 64 },
    language: { type: 'string', pattern: '^[a-z]{2}$' },
    // JVBERi0 is what %PDF- begins with in Base64.
    document: { type: 'string', maxLength: documentMaxLength, pattern: '^JVBERi0[A-Za-z0-9+/]+={0,2}$' },
    externalUserId: { type: 'string', minLength: 1, maxLength: 128 },
    registrationAddress: address,
    residentialAddress: address,
    identification: {
      type: 'object',
      required: ['identifiedAt', 'identifiedBy'],
      additionalProperties: false,
      properties: { identifiedAt: { type: 'string', format: 'date-time' }, identifiedBy: text },
    },
    productId: { type: 'integer' },
    branchId: text,
  },
}
