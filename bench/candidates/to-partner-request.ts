/** Our body as FreedomPay wants it: the same mapping for every candidate, so that it makes no difference between them. */
import type { CallerAddress, CallerBody } from '../bodies.ts'

const types = { individual: 1, 'legal-entity': 2, 'individual-entrepreneur': 3 } as const

export function toPartnerRequest(body: CallerBody, requestId: string, productId: number) {
  const { identification } = body
  // JSON.stringify leaves out what is undefined: absent here is absent there.
  return {
    request_id: requestId,
    product_id: body.productId ?? productId,
    branch_id: body.branchId,
    client: {
      phone: Number(body.phone.slice(1)),
      type: body.type === undefined ? undefined : types[body.type],
      resident: body.resident === undefined ? undefined : body.resident ? 1 : 2,
      first_name: body.firstName,
      last_name: body.lastName,
      middle_name: body.middleName,
      birthdate: body.birthDate,
      email: body.email,
      country: body.country,
      person_id: body.personId,
      language: body.language,
      document: body.document,
      external_user_id: body.externalUserId,
      address1: toPartnerAddress(body.registrationAddress),
      address2: toPartnerAddress(body.residentialAddress),
    },
    identification_info:
      identification === undefined
        ? undefined
        : { idn_date: identification.identifiedAt, identified_by: identification.identifiedBy },
  }
}

function toPartnerAddress(address: CallerAddress | undefined) {
  if (address === undefined) return undefined
  return {
    country: address.country,
    postal_code: address.postalCode,
    address_line1: address.city,
    address_line2: address.street,
    address_line3: address.building,
  }
}
