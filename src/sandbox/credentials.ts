import type { Credentials } from '../partner/signature.ts'

/** What the sandbox expects unless it is told otherwise; well-known, as nothing but the sandbox believes them. */
export const sandboxCredentials: Credentials = { authId: 'sandbox', secretKey: 'sandbox-secret-key' }
