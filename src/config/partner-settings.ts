/** FreedomPay: its address and credentials, what may be sent, its codes, and the limits of the calls. */
import { regions } from '../partner/regions.ts'
import { findUnfitCredentials } from '../partner/signature.ts'
import { toIntegers, toList, toMembers, toOrigin } from './convert.ts'
import { type Environment, readText } from './read-environment.ts'
import type { Settings } from './settings.ts'

/** The sandbox takes any product; 1000 is the one whose requirements are documented. */
const sandboxProductId = 1000

export function toPartnerSettings(settings: Settings, isSandbox: boolean, env: Environment, faults: string[]) {
  const region = regions[settings.FREEDOMPAY_REGION]
  const productId = settings.FREEDOMPAY_PRODUCT_ID ?? sandboxProductId
  const branchId = settings.FREEDOMPAY_BRANCH_ID
  const origin = toOrigin(settings.FREEDOMPAY_BASE_URL ?? region.baseUrl, faults)
  // An absent one has its fault already.
  const { FREEDOMPAY_AUTH_ID: authId = 'absent', FREEDOMPAY_SECRET_KEY: secretKey = 'absent' } = settings
  faults.push(...findUnfitCredentials({ authId, secretKey }))
  const readCredentials = () => ({
    authId: readText(env, 'FREEDOMPAY_AUTH_ID') ?? '',
    secretKey: readText(env, 'FREEDOMPAY_SECRET_KEY') ?? '',
  })
  return {
    region: settings.FREEDOMPAY_REGION,
    /** Undefined: the sandbox, in this process. */
    partnerOrigin: isSandbox ? undefined : origin,
    signature: settings.FREEDOMPAY_SIGNATURE ?? region.signature,
    /** Reads the present credentials; undefined for the sandbox, which has its own. */
    readCredentials: isSandbox ? undefined : readCredentials,
    productId,
    branchId,
    allowedProductIds: new Set([productId, ...toIntegers(settings.FREEDOMPAY_ALLOWED_PRODUCT_IDS, faults)]),
    allowedBranchIds: new Set([...(branchId ? [branchId] : []), ...toList(settings.FREEDOMPAY_ALLOWED_BRANCH_IDS)]),
    alsoRequired: toMembers(settings.FREEDOMPAY_REQUIRED, faults),
    codes: {
      duplicate: new Set(toList(settings.FREEDOMPAY_DUPLICATE_CODES)),
      notFound: new Set(toList(settings.FREEDOMPAY_NOT_FOUND_CODES)),
    },
    partnerConnectTimeoutMs: settings.PARTNER_CONNECT_TIMEOUT_MS,
    partnerTimeoutMs: settings.PARTNER_TIMEOUT_MS,
    partnerKeepAliveMs: settings.PARTNER_KEEP_ALIVE_MS,
    partnerSettleMs: settings.PARTNER_SETTLE_MS,
    partnerAbsentMs: settings.PARTNER_ABSENT_MS,
    partnerDoubtMs: settings.PARTNER_DOUBT_MS,
    mayResend: settings.PARTNER_RESEND,
    partnerMaxInFlight: settings.PARTNER_MAX_IN_FLIGHT,
    partnerMaxWaiting: settings.PARTNER_MAX_WAITING,
  }
}
