/** `npm run api-key -- billing-app`: a new key, shown this once, and the line that lets it in. */
import { hash, randomBytes } from 'node:crypto'
import { isCallerName } from './caller.ts'

/** Told apart from other secrets by those who search for leaked ones. */
const prefix = 'fpc_'
const keyBytes = 32

const [caller, ...rest] = process.argv.slice(2)
if (!isCallerName(caller) || caller.startsWith('#') || rest.length > 0) {
  process.stderr.write('Usage: npm run api-key -- <caller>, a name without spaces, such as billing-app\n')
  process.exit(64)
}
const key = `${prefix}${randomBytes(keyBytes).toString('base64url')}`
process.stdout.write(`The key, for the caller alone; it is shown this once:
${key}

The line for API_KEYS_FILE:
${caller}:${hash('sha256', key)}
`)
