/** How a candidate learns who calls: what it needs to know, and what the load's requests show. */
import { hash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { workFolder } from './process.ts'

export type AuthKind = 'none' | 'api-key' | 'jwt'

export interface PreparedAuth {
  readonly env: Record<string, string>
  readonly authorization: string | undefined
  remove(): Promise<void>
}

const caller = 'billing-app'

export async function prepareAuth(kind: AuthKind): Promise<PreparedAuth> {
  switch (kind) {
    case 'none':
      return { env: { AUTH: 'none' }, authorization: undefined, remove: async () => {} }
    case 'api-key':
      return prepareApiKey()
    case 'jwt':
      return await prepareJwt()
  }
}

function prepareApiKey(): PreparedAuth {
  const key = `fpc_${randomBytes(32).toString('base64url')}`
  mkdirSync(workFolder, { recursive: true })
  const file = fileURLToPath(new URL('api-keys', workFolder))
  writeFileSync(file, `${caller}:${hash('sha256', key)}\n`)
  return { env: { AUTH: 'api-key', API_KEYS_FILE: file }, authorization: `Bearer ${key}`, remove: async () => {} }
}

/** One RS256 token for all requests, and an issuer whose keys are fetched once. */
async function prepareJwt(): Promise<PreparedAuth> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'key-1', alg: 'RS256', use: 'sig' }
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [jwk] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const token = await new SignJWT({ sub: caller })
    .setProtectedHeader({ alg: 'RS256', kid: 'key-1' })
    .setIssuer(origin)
    .setAudience('bench')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey)
  return {
    env: { AUTH: 'jwt', JWT_JWKS_URL: `${origin}/jwks`, JWT_ISSUER: origin, JWT_AUDIENCE: 'bench' },
    authorization: `Bearer ${token}`,
    remove: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
