/**
 * The members that a region and a product require besides `phone`. Sources: docs.freedompay.kz/api-12074751 for kz,
 * docs.freedompay.kz/doc-850764 and docs.freedompay.kg/doc-833011 for product 1000. FreedomPay has not published the requirements of
 * the products 2000 and 3000, nor those of uz: FREEDOMPAY_REQUIRED adds them once they are known.
 */
import type { Region } from '../../partner/regions.ts'
import type { InputError } from '../../problems/problem.ts'
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

/** Every missing member, and every product or branch that the settings do not allow. The body may have other faults. */
export type FindUnmetRequirements = (body: Readonly<Record<string, unknown>>) => InputError[]

export function createRequirementsCheck(requirements: Requirements): FindUnmetRequirements {
  const { region, defaultProductId, allowedProductIds, allowedBranchIds, alsoRequired } = requirements

  function collectRequired(ofProduct: readonly Pointer[]): readonly Required[] {
    const pointers = [...byRegion[region], ...ofProduct, ...alsoRequired.map((member): Pointer => `/${member}`)]
    return [...new Set(pointers)].map((pointer) => ({ pointer, path: pointer.slice(1).split('/') }))
  }

  const ofAnyProduct = collectRequired([])
  const ofProduct = new Map([...byProduct[region]].map(([id, pointers]) => [id, collectRequired(pointers)]))

  return (body) => {
    const { productId, branchId } = body as Pick<CreateClient, 'productId' | 'branchId'>
    const errors: InputError[] = []
    const required = ofProduct.get(typeof productId === 'number' ? productId : defaultProductId) ?? ofAnyProduct
    for (const { pointer, path } of required) {
      if (!has(body, path)) errors.push({ pointer, message: 'is required by FreedomPay for this product and region' })
    }
    if (productId !== undefined && !allowedProductIds.has(productId)) {
      errors.push({ pointer: '/productId', message: `must be one of: ${list(allowedProductIds)}` })
    }
    if (branchId !== undefined && !allowedBranchIds.has(branchId)) {
      errors.push({ pointer: '/branchId', message: `must be one of: ${list(allowedBranchIds)}` })
    }
    return errors
  }
}

interface Required {
  readonly pointer: Pointer
  readonly path: readonly string[]
}

function has(body: unknown, path: readonly string[]): boolean {
  let value = body
  for (const member of path) {
    if (typeof value !== 'object' || value === null) return false
    value = (value as Record<string, unknown>)[member]
  }
  return value !== undefined
}

function list(allowed: ReadonlySet<string | number>): string {
  return allowed.size === 0 ? '(none is allowed here; leave it out)' : [...allowed].join(', ')
}
