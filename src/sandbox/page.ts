/**
 * `GET /sandbox`: one plain page with the live calls to FreedomPay, the answers to the caller, and the states in the ledger.
 */
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { SandboxEvents } from './events.ts'
import { contentSecurityPolicy, renderPage } from './page-html.ts'

export interface SandboxPageOptions {
  readonly events: SandboxEvents
  /** The state of a request in the ledger; undefined if there is no row. */
  readonly findState: (requestId: string) => Promise<string | undefined>
  /** The origin on which the sandbox listens. */
  readonly origin: string
  /** Whether the page can lead to /docs. */
  readonly hasDocs: boolean
}

const lookMs = 500
const finalStates = new Set(['created', 'rejected', 'not-created'])

/** Registered only if the service uses its own sandbox; in production the page does not exist. */
export default fp(
  async function sandboxPage(app: FastifyInstance, { events, findState, origin, hasDocs }: SandboxPageOptions) {
    const page = renderPage(origin, hasDocs)
    const streams = new Set<() => void>()
    const watchLedger = createLedgerWatch(events, findState)

    app.addHook('onResponse', (request, reply, done) => {
      const { requestId } = request.log
      if (requestId !== undefined) events.add(requestId, 'caller', `${request.method} is told ${reply.statusCode}`)
      done()
    })
    app.addHook('preClose', (done) => {
      for (const end of streams) end()
      done()
    })

    app.get('/sandbox', {
      config: { access: 'public' },
      schema: { hide: true },
      handler: (_request, reply) =>
        reply.header('content-security-policy', contentSecurityPolicy).type('text/html; charset=utf-8').send(page),
    })

    /** Server-sent events with identifiers, states and times. */
    app.get('/sandbox/events', {
      config: { access: 'public', hasNoEnd: true },
      schema: { hide: true },
      handler(_request, reply) {
        reply.hijack()
        const { raw } = reply
        reply.header('content-type', 'text/event-stream')
        for (const [name, value] of Object.entries(reply.getHeaders())) raw.setHeader(name, String(value))
        raw.flushHeaders()
        const unsubscribe = events.subscribe((event) => raw.write(`data: ${JSON.stringify(event)}\n\n`))
        const stopLooking = watchLedger()
        const end = () => {
          unsubscribe()
          stopLooking()
          streams.delete(end)
          raw.end()
        }
        streams.add(end)
        raw.on('close', end)
      },
    })
  },
  // Not encapsulated: the hooks must also see the routes that are registered later.
  { name: 'sandbox-page', dependencies: ['authentication'] },
)

/** Each call starts to look at the ledger, and returns the function that stops. An event is added for each new state. */
function createLedgerWatch(events: SandboxEvents, findState: SandboxPageOptions['findState']): () => () => void {
  const told = new Map<string, string>()
  const look = async () => {
    for (const requestId of events.requestIds().filter((id) => !finalStates.has(told.get(id) ?? ''))) {
      const state = await findState(requestId).catch(() => undefined)
      if (state === undefined || state === told.get(requestId)) continue
      told.set(requestId, state)
      events.add(requestId, 'ledger', `says ${state}`)
    }
  }
  return () => {
    const timer = setInterval(() => void look(), lookMs)
    return () => clearInterval(timer)
  }
}
