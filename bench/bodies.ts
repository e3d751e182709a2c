/** The callers' bodies. Nothing in them belongs to a person. */
import { randomBytes } from 'node:crypto'

export type BodyName = 'typical' | 'document-100k' | 'document-2m'

/** What a caller of `POST /clients` sends, as far as the candidates use it. */
export interface CallerBody {
  readonly phone: string
  readonly type?: 'individual' | 'legal-entity' | 'individual-entrepreneur'
  readonly resident?: boolean
  readonly firstName?: string
  readonly lastName?: string
  readonly middleName?: string
  readonly birthDate?: string
  readonly email?: string
  readonly country?: string
  readonly personId?: string
  readonly language?: string
  readonly document?: string
  readonly externalUserId?: string
  readonly registrationAddress?: CallerAddress
  readonly residentialAddress?: CallerAddress
  readonly identification?: { readonly identifiedAt: string; readonly identifiedBy: string }
  readonly productId?: number
  readonly branchId?: string
}

export interface CallerAddress {
  readonly country: string
  readonly postalCode: string
  readonly city: string
  readonly street: string
  readonly building: string
}

const address: CallerAddress = {
  country: 'UZB',
  postalCode: '100000',
  city: 'Tashkent',
  street: 'Amir Temur',
  building: '107B',
}

const typical: CallerBody = {
  phone: '+998901234567',
  type: 'individual',
  resident: true,
  firstName: 'Aziza',
  lastName: 'Karimova',
  middleName: 'Olimovna',
  birthDate: '1990-05-17',
  email: 'aziza@example.com',
  country: 'UZB',
  personId: '31705900123456',
  language: 'uz',
  externalUserId: 'user-00001',
  registrationAddress: address,
  residentialAddress: address,
  identification: { identifiedAt: '2026-01-15T09:30:00+05:00', identifiedBy: 'operator-17' },
}

const documentBytes: Record<BodyName, number> = {
  typical: 0,
  'document-100k': 100 * 1024,
  'document-2m': 2 * 1024 ** 2,
}

export function buildBody(name: BodyName): CallerBody {
  return documentBytes[name] === 0 ? typical : { ...typical, document: buildDocument(documentBytes[name]) }
}

/** Base64, padded, of bytes that begin and end as a PDF does; between them noise, as in one that is compressed. */
function buildDocument(bytes: number): string {
  const head = Buffer.from('%PDF-1.7\n')
  const tail = Buffer.from('\n%%EOF\n')
  return Buffer.concat([head, randomBytes(bytes - head.length - tail.length), tail]).toString('base64')
}
