/**
 * What a region and a product require beyond `phone`, as partner.md has it: docs.freedompay.kz/api-12074751 for kz,
 * docs.freedompay.kz/doc-850764 and docs.freedompay.kg/doc-833011 for product 1000. What 2000 and 3000 require, and what uz
 * does, is not published: FREEDOMPAY_REQUIRED adds it once it is known.
 */
import type { Region } from '../partner/regions.ts'
import type { InputError } from '../problems.ts'
import type { CreateClient, Member } from './schema.ts'

/** A JSON Pointer into our body. */
type Pointer = `/${string}`

const kzPage: Pointer[] = ['/type', '/resident', '/firstName', '/lastName']

const walletCard: Pointer[] = [
  '/firstName',
  '/lastName',
  '/country',
  '/personId',
  '/document',
  '/registrationAddress/country',
  '/registrationAddress/postalCode',
  '/registrationAddress/city',
  '/registrationAddress/street',
  '/registrationAddress/building',
  '/residentialAddress/country',
  '/residentialAddress/postalCode',
]

const byRegion: Record<Region, Pointer[]> = { uz: [], kz: kzPage, kg: [] }
const byProduct: Record<Region, ReadonlyMap<number, Pointer[]>> = {
  uz: new Map(),
  kz: new Map([[1000, walletCard]]),
  kg: new Map([[1000, walletCard]]),
}

export interface Requirements {
  readonly region: Region
  readonly defaultProductId: number
  readonly allowedProductIds: ReadonlySet<number>
  readonly allowedBranchIds: ReadonlySet<string>
  /** FREEDOMPAY_REQUIRED */
  readonly alsoRequired: readonly Member[]
}

/** The faults of a body that may still have others: every missing member at once, and what the settings do not allow. */
export function findUnmetRequirements(
  body: Readonly<Record<string, unknown>>,
  requirements: Requirements,
): InputError[] {
  return [...findMissing(body, requirements), ...findDisallowed(body, requirements)]
}

function findMissing(body: Readonly<Record<string, unknown>>, requirements: Requirements): InputError[] {
  const { region, defaultProductId, alsoRequired } = requirements
  const productId = typeof body.productId === 'number' ? body.productId : defaultProductId
  const required = new Set<Pointer>([
    ...byRegion[region],
    ...(byProduct[region].get(productId) ?? []),
    ...alsoRequired.map((member): Pointer => `/${member}`),
  ])
  return [...required]
    .filter((pointer) => !has(body, pointer))
    .map((pointer) => ({ pointer, message: 'is required by FreedomPay for this product and region' }))
}

function has(body: unknown, pointer: Pointer): boolean {
  let value = body
  for (const member of pointer.slice(1).split('/')) {
    if (typeof value !== 'object' || value === null) return false
    value = (value as Record<string, unknown>)[member]
  }
  return value !== undefined
}

function findDisallowed(body: Readonly<Record<string, unknown>>, requirements: Requirements): InputError[] {
  const { productId, branchId } = body as Pick<CreateClient, 'productId' | 'branchId'>
  const errors: InputError[] = []
  if (productId !== undefined && !requirements.allowedProductIds.has(productId)) {
    errors.push({ pointer: '/productId', message: `must be one of: ${list(requirements.allowedProductIds)}` })
  }
  if (branchId !== undefined && !requirements.allowedBranchIds.has(branchId)) {
    errors.push({ pointer: '/branchId', message: `must be one of: ${list(requirements.allowedBranchIds)}` })
  }
  return errors
}

function list(allowed: ReadonlySet<string | number>): string {
  return allowed.size === 0 ? '(none is allowed here; leave it out)' : [...allowed].join(', ')
}
