/** Maps our body and the service's defaults to FreedomPay's request. Pure. */
import type { AddClientRequest, PartnerAddress } from '../../partner/schema.ts'
import type { CreateClient } from '../body/schema.ts'

export interface RequestDefaults {
  readonly productId: number
  readonly branchId: string | undefined
}

const types = { individual: 1, 'legal-entity': 2, 'individual-entrepreneur': 3 } as const

/** An absent member becomes undefined: JSON.stringify then leaves the member out. */
export function toAddClientRequest(body: CreateClient, requestId: string, defaults: RequestDefaults): AddClientRequest {
  return {
    request_id: requestId,
    product_id: body.productId ?? defaults.productId,
    branch_id: body.branchId ?? defaults.branchId,
    client: {
      phone: Number(body.phone),
      type: body.type && types[body.type],
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
      address1: body.registrationAddress && toPartnerAddress(body.registrationAddress),
      address2: body.residentialAddress && toPartnerAddress(body.residentialAddress),
    },
    identification_info: body.identification && {
      idn_date: body.identification.identifiedAt,
      identified_by: body.identification.identifiedBy,
    },
  }
}

function toPartnerAddress(address: NonNullable<CreateClient['registrationAddress']>): PartnerAddress {
  return {
    country: address.country,
    postal_code: address.postalCode,
    address_line1: address.city,
    address_line2: address.street,
    address_line3: address.building,
  }
}
