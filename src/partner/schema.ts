/**
 * FreedomPay's Card API, as its documentation has it (docs.freedompay.uz/api-13679535, docs.freedompay.kz/api-12074751,
 * docs.freedompay.kg/api-13677899). Members that the documentation marks optional are optional here; nothing else is assumed.
 */
import Type, { type Static, type TSchema } from 'typebox'

/** The calls this service makes. Every Card API call is a POST with a JSON body. */
export const paths = {
  add: '/v5/card-api/client/add',
  status: '/v5/card-api/request/status',
} as const

export type Operation = keyof typeof paths

const PartnerAddress = Type.Object(
  {
    country: Type.Optional(Type.String()),
    postal_code: Type.Optional(Type.String()),
    address_line1: Type.Optional(Type.String()),
    address_line2: Type.Optional(Type.String()),
    address_line3: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
)
export type PartnerAddress = Static<typeof PartnerAddress>

export const AddClientRequest = Type.Object(
  {
    request_id: Type.String({ format: 'uuid' }),
    product_id: Type.Integer(),
    branch_id: Type.Optional(Type.String()),
    client: Type.Object(
      {
        phone: Type.Integer({ minimum: 1 }),
        type: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(3)])),
        resident: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(2)])),
        first_name: Type.Optional(Type.String()),
        last_name: Type.Optional(Type.String()),
        middle_name: Type.Optional(Type.String()),
        birthdate: Type.Optional(Type.String({ format: 'date' })),
        email: Type.Optional(Type.String()),
        country: Type.Optional(Type.String()),
        person_id: Type.Optional(Type.String()),
        language: Type.Optional(Type.String()),
        document: Type.Optional(Type.String()),
        external_user_id: Type.Optional(Type.String()),
        address1: Type.Optional(PartnerAddress),
        address2: Type.Optional(PartnerAddress),
      },
      { additionalProperties: false },
    ),
    identification_info: Type.Optional(
      Type.Object({ idn_date: Type.String(), identified_by: Type.String() }, { additionalProperties: false }),
    ),
  },
  { additionalProperties: false },
)
export type AddClientRequest = Static<typeof AddClientRequest>

export const StatusRequest = Type.Object(
  { request_id: Type.String({ format: 'uuid' }) },
  { additionalProperties: false },
)
export type StatusRequest = Static<typeof StatusRequest>

/** The documentation requires some members before they can have a value, so null counts as absent. */
const orAbsent = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

/**
 * The answer to both calls. The schema is generous, as the error body and the moment at which `client_id` appears are undocumented.
 * It fixes only the types of the members that are used: a fault in `dt` or `cards` must not hide an outcome. outcome.ts judges
 * unknown words. Unknown members are allowed.
 */
export const PartnerAnswer = Type.Object({
  status: Type.String(),
  request_status: Type.Optional(Type.String()),
  client_id: orAbsent(Type.Union([Type.String(), Type.Integer()])),
  error_code: orAbsent(Type.Union([Type.String(), Type.Integer()])),
  error_description: orAbsent(Type.String()),
})
export type PartnerAnswer = Static<typeof PartnerAnswer>
