/** `npm run api-key -- billing-app`: prints a new key, once, and its line for API_KEYS_FILE. */
import { hash, randomBytes } from 'node:crypto'
import { isCallerName } from './caller.ts'

/** Scanners for leaked secrets recognise the key by this prefix. */
const prefix = 'fpc_'
const keyBytes = 32

const [caller, ...rest] = process.argv.slice(2)
if (!isCallerName(caller) || caller.startsWith('#') || rest.length > 0) {
  process.stderr.write('Usage: npm run api-key -- <caller>, a name without spaces, such as billing-app\n')
  process.exit(64)
}
const key = `${prefix}${randomBytes(keyBytes).toString('base64url')}`
process.stdout.write(`The key, for the caller only. It is not shown again:
${key}

The line for API_KEYS_FILE:
${caller}:${hash('sha256', key)}
`)
