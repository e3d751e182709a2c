/**
 * Runs the sandbox as a separate program: `npm run sandbox`. The sandbox reads the service's credential variables, so that both
 * match, and reads all settings as the service does: from the environment or from files, every fault at once.
 */
import Type from 'typebox'
import { describeFaults, readSettings } from '../config/read-environment.ts'
import { findUnfitCredentials } from '../partner/signature.ts'
import { buildSandbox } from './app.ts'
import { sandboxCredentials } from './credentials.ts'

// EX_CONFIG of sysexits.h: the same exit code as the service.
const exitCodeForSettings = 78

const SandboxSettings = Type.Object({
  /** 0: a free port. */
  SANDBOX_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 4010 }),
  SANDBOX_HOST: Type.String({ default: '127.0.0.1' }),
  /** accept: a repeated request_id creates a second client. */
  SANDBOX_REPEATS: Type.Enum(['accept', 'refuse'], { default: 'refuse' }),
  FREEDOMPAY_AUTH_ID: Type.String({ default: sandboxCredentials.authId }),
  FREEDOMPAY_SECRET_KEY: Type.String({ default: sandboxCredentials.secretKey }),
})

const faults: string[] = []
const { values } = readSettings(SandboxSettings, process.env, faults)
const credentials = { authId: values.FREEDOMPAY_AUTH_ID, secretKey: values.FREEDOMPAY_SECRET_KEY }
faults.push(...findUnfitCredentials(credentials))
if (faults.length > 0) {
  console.error(describeFaults(faults))
  process.exit(exitCodeForSettings)
}

const sandbox = buildSandbox({ credentials, acceptsRepeats: values.SANDBOX_REPEATS === 'accept' })

async function stop() {
  await sandbox.close()
  process.exit(0)
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)

try {
  const url = await sandbox.listen(values.SANDBOX_PORT, values.SANDBOX_HOST)
  console.log(JSON.stringify({ msg: 'FreedomPay sandbox is listening: no real clients are created', url }))
} catch (err) {
  // The system's message names the address and the cause.
  console.error(`The sandbox cannot listen (SANDBOX_HOST, SANDBOX_PORT): ${(err as Error).message}`)
  process.exit(1)
}
