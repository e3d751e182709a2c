/** `npm run fuzz -- --seconds 60 [--seed N]` */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { loadConfig } from '../../src/config/load.ts'
import { buildSandbox } from '../../src/sandbox/app.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import { startService } from '../../src/service.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { quickSettings } from '../fixtures/service.ts'
import { runFuzz } from './fuzz.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } } })
const seconds = Number(values.seconds)
const seed = Number(values.seed ?? randomInt(2 ** 30))
process.stdout.write(`seed ${seed}, ${seconds} s\n`)

const phones: string[] = []
const sandbox = buildSandbox({
  credentials: sandboxCredentials,
  onReceived({ path, body }) {
    if (path.endsWith('/add')) phones.push(`+${JSON.parse(body.toString()).client.phone}`)
  },
})
const settings = { FREEDOMPAY_BASE_URL: await sandbox.listen(), PARTNER_MAX_IN_FLIGHT: '1000' }
const log = createLogger('error')
const service = await startService(loadConfig({ ...quickSettings, ...settings }), log, 'fuzz')
const { faults, ...counts } = await runFuzz({ url: service.url, receivedPhones: () => phones }, { seconds, seed })
await service.stop()
await sandbox.close()

process.stdout.write(`${JSON.stringify(counts)}\n`)
for (const fault of faults) process.stdout.write(`FAILED ${fault}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
