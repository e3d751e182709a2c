import type { Credentials } from '../partner/signature.ts'

/** The default credentials of the sandbox. Public, because only the sandbox accepts them. */
export const sandboxCredentials: Credentials = { authId: 'sandbox', secretKey: 'sandbox-secret-key' }
