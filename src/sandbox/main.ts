/**
 * Runs the sandbox as a separate program: `npm run sandbox`. The sandbox reads the service's credential variables, so that both
 * match.
 */
import { buildSandbox } from './app.ts'
import { sandboxCredentials } from './credentials.ts'

// EX_CONFIG of sysexits.h: the same exit code as the service.
const exitCodeForSettings = 78

const { env } = process
// An empty variable counts as absent: a compose file passes an unset variable as an empty one.
const port = env.SANDBOX_PORT || '4010'
const host = env.SANDBOX_HOST || '127.0.0.1'
const credentials = {
  authId: env.FREEDOMPAY_AUTH_ID || sandboxCredentials.authId,
  secretKey: env.FREEDOMPAY_SECRET_KEY || sandboxCredentials.secretKey,
}

if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
  console.error('SANDBOX_PORT must be a port number, 0 to 65535 (0 takes a free port)')
  process.exit(exitCodeForSettings)
}

const repeats = env.SANDBOX_REPEATS || 'refuse'
if (repeats !== 'accept' && repeats !== 'refuse') {
  console.error('SANDBOX_REPEATS must be accept (a repeated request_id creates a second client) or refuse')
  process.exit(exitCodeForSettings)
}

const sandbox = buildSandbox({ credentials, acceptsRepeats: repeats === 'accept' })

async function stop() {
  await sandbox.close()
  process.exit(0)
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)

try {
  const url = await sandbox.listen(Number(port), host)
  console.log(JSON.stringify({ msg: 'FreedomPay sandbox is listening: no real clients are created', url }))
} catch (err) {
  // The system's message names the address and the cause.
  console.error(`The sandbox cannot listen (SANDBOX_HOST, SANDBOX_PORT): ${(err as Error).message}`)
  process.exit(1)
}
