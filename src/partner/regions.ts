/** Hosts and signatures of FreedomPay's three countries, from the Card API introduction of each. */
import type { SignatureScheme } from './signature.ts'

export interface RegionSettings {
  readonly baseUrl: string
  readonly signature: SignatureScheme
}

/** kz and kg document their signature; uz documents none for the Card API, but its Async API uses the JWS header. */
export const regions = {
  uz: { baseUrl: 'https://api.freedompay.uz', signature: 'jws' },
  kz: { baseUrl: 'https://api.freedompay.kz', signature: 'jws' },
  kg: { baseUrl: 'https://api.freedompay.kg', signature: 'sign' },
} as const satisfies Record<string, RegionSettings>

export type Region = keyof typeof regions
