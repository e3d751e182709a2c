import type { Logger } from 'pino'
import { buildSandbox } from './app.ts'
import { sandboxCredentials } from './credentials.ts'
import { createSandboxEvents, tellCall } from './events.ts'
import plugin, { type SandboxPageOptions } from './page.ts'

/** The same as the default of `SANDBOX_PORT`. */
const usualSandboxPort = 4010

/** Starts the sandbox inside the service, with a page that shows the calls. */
export async function startSandbox(log: Logger) {
  const events = createSandboxEvents()
  const sandbox = buildSandbox({
    credentials: sandboxCredentials,
    onReceived(call) {
      const told = tellCall(call)
      if (told !== undefined) events.add(told.requestId, 'FreedomPay', told.what)
    },
  })
  // The documented port, unless another program uses it.
  const origin = await sandbox.listen(usualSandboxPort).catch(() => sandbox.listen())
  log.warn(
    { partner: 'sandbox', url: origin },
    'no FreedomPay credentials: talking to the built-in sandbox, which creates no real clients',
  )
  return {
    origin,
    close: () => sandbox.close(),
    pageFor: (findState: SandboxPageOptions['findState']) => ({ plugin, options: { events, findState, origin } }),
  }
}
