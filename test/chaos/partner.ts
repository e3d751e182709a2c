/** The partner at the end of a bad line: the sandbox, what reached it, and what it knows. */
import { EventEmitter, once } from 'node:events'
import { request } from 'undici'
import { type PartnerAnswer, paths } from '../../src/partner/schema.ts'
import { createSigner } from '../../src/partner/signature.ts'
import { buildSandbox, type ReceivedCall } from '../../src/sandbox/app.ts'
import { sandboxCredentials } from '../../src/sandbox/credentials.ts'
import { ageAtCreation, chooseScenario, defaultTimings, type Timings } from '../../src/sandbox/scenarios.ts'
import type { Arrival, ExistingClient, Truth } from './history.ts'
import { type Line, openLine } from './line.ts'

export interface Partner {
  /** Between the service and the sandbox. */
  readonly line: Line
  readonly arrivals: readonly Arrival[]
  /** The clients that exist by now. */
  clients(): ExistingClient[]
  /** Asks the sandbox itself, around the line. */
  tellTruth(requestId: string): Promise<Truth>
  close(): Promise<void>
}

export interface PartnerOptions {
  readonly seed: number
  readonly timings: Partial<Timings>
  readonly slowRequestIds: ReadonlySet<string>
  /** It makes a second client of a repeated request_id. */
  readonly acceptsRepeats: boolean
}

export async function startPartner(options: PartnerOptions): Promise<Partner> {
  const { seed, timings, slowRequestIds, acceptsRepeats } = options
  const arrivals: Arrival[] = []
  const announcements = new EventEmitter().setMaxListeners(0)
  const sandbox = buildSandbox({ credentials: sandboxCredentials, timings, acceptsRepeats, onReceived })
  const target = await sandbox.listen()
  const nextArrival = (requestId: string) => once(announcements, requestId)
  const line = await openLine({ seed, target, slowRequestIds, nextArrival })
  const sign = createSigner('jws', () => sandboxCredentials)

  function onReceived({ path, body }: ReceivedCall): void {
    if (path !== paths.add) return
    const { request_id: requestId, client } = JSON.parse(body.toString())
    arrivals.push({ requestId, phone: `+${client.phone}`, at: Date.now() })
    announcements.emit(requestId)
  }

  return {
    line,
    arrivals,
    clients() {
      const phones = new Map(arrivals.map(({ requestId, phone }) => [requestId, phone]))
      return sandbox.clients().map(({ requestId, clientId, createdAt }) => {
        const { registers } = chooseScenario(Number(phones.get(requestId)))
        const ageMs = registers === null ? 0 : ageAtCreation(registers, { ...defaultTimings, ...timings })
        const createdAtMs = Date.parse(createdAt)
        return { requestId, clientId, registeredAt: createdAtMs - ageMs, createdAt: createdAtMs }
      })
    },
    async tellTruth(requestId) {
      const body = Buffer.from(JSON.stringify({ request_id: requestId }))
      const headers = { 'content-type': 'application/json', ...sign(paths.status, body) }
      const answer = await request(target + paths.status, { method: 'POST', headers, body, reset: true })
      return toTruth((await answer.body.json()) as PartnerAnswer)
    },
    async close() {
      await line.close()
      await sandbox.close()
    },
  }
}

/** Read anew, and not as the service reads it, which is what is being tested. */
function toTruth({ status, request_status: requestStatus, error_code: code }: PartnerAnswer): Truth {
  if (code === '1006') return 'no such request'
  if (requestStatus === 'error') return 'rejected'
  if (status === 'ok' && requestStatus === 'success') return 'created'
  return 'processing'
}
