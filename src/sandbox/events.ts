/** The latest events for the sandbox's page: identifiers, states and times; never a phone number or a body. */
import { paths } from '../partner/schema.ts'
import type { ReceivedCall } from './app.ts'
import { chooseScenario } from './scenarios.ts'

export type Teller = 'FreedomPay' | 'caller' | 'ledger'

export interface SandboxEvent {
  /** RFC 3339. */
  readonly at: string
  readonly requestId: string
  /** The receiver of the call, the answer or the write. */
  readonly who: Teller
  readonly what: string
}

export type Listener = (event: SandboxEvent) => void

export interface SandboxEvents {
  add(requestId: string, who: Teller, what: string): void
  /** Sends the kept events first, oldest before newest, then every new event. Returns a function that ends the subscription. */
  subscribe(listener: Listener): () => void
  /** The request ids of the kept events. */
  requestIds(): string[]
}

const maxEvents = 200

export function createSandboxEvents(): SandboxEvents {
  const kept: SandboxEvent[] = []
  const listeners = new Set<Listener>()
  return {
    add(requestId, who, what) {
      const event = { at: new Date().toISOString(), requestId, who, what }
      kept.push(event)
      if (kept.length > maxEvents) kept.shift()
      for (const listener of listeners) listener(event)
    },
    subscribe(listener) {
      kept.forEach(listener)
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    requestIds: () => [...new Set(kept.map(({ requestId }) => requestId))],
  }
}

/** Describes one call of the Card API; undefined if the body cannot be read. */
export function tellCall({
  path,
  body,
}: Pick<ReceivedCall, 'path' | 'body'>): { requestId: string; what: string } | undefined {
  try {
    const { request_id: requestId, client } = JSON.parse(body.toString()) as {
      request_id?: unknown
      client?: { phone?: unknown }
    }
    if (typeof requestId !== 'string') return undefined
    if (path === paths.status) return { requestId, what: 'is asked for the status' }
    return { requestId, what: `is asked to create a client; plays: ${chooseScenario(Number(client?.phone)).name}` }
  } catch {
    return undefined
  }
}
