/**
 * `GET /sandbox`: one plain page with the live calls to FreedomPay, the answers to the caller, and the states in the ledger.
 */
import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { SandboxEvents } from './events.ts'
import { chooseScenario } from './scenarios.ts'

export interface SandboxPageOptions {
  readonly events: SandboxEvents
  /** The state of a request in the ledger; undefined if there is no row. */
  readonly findState: (requestId: string) => Promise<string | undefined>
  /** The origin on which the sandbox listens. */
  readonly origin: string
}

const lookMs = 500
const finalStates = new Set(['created', 'rejected', 'not-created'])

/** Registered only if the service uses its own sandbox; in production the page does not exist. */
export async function registerSandboxPage(app: FastifyInstance, options: SandboxPageOptions): Promise<void> {
  const { events, findState, origin } = options
  const page = renderPage(origin)
  const streams = new Set<() => void>()

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
    config: { access: 'public' },
    schema: { hide: true },
    handler(_request, reply) {
      reply.hijack()
      const { raw } = reply
      raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      raw.flushHeaders()
      const unsubscribe = events.subscribe((event) => raw.write(`data: ${JSON.stringify(event)}\n\n`))
      const stopLooking = watchLedger(events, findState)
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

  // The hooks above must also see the routes that are registered later.
  const told = new Map<string, string>()
  function watchLedger(to: SandboxEvents, find: SandboxPageOptions['findState']): () => void {
    const look = async () => {
      for (const requestId of to.requestIds().filter((id) => !finalStates.has(told.get(id) ?? ''))) {
        const state = await find(requestId).catch(() => undefined)
        if (state === undefined || state === told.get(requestId)) continue
        told.set(requestId, state)
        to.add(requestId, 'ledger', `says ${state}`)
      }
    }
    const timer = setInterval(() => void look(), lookMs)
    return () => clearInterval(timer)
  }
}

const style = `
:root { color-scheme: light dark; background: #fff; color: #1b1f24 }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 1rem auto; padding: 0 1rem }
a { color: #0b57d0 } code { overflow-wrap: anywhere }
.scenarios { columns: 20rem; padding-left: 1.2rem } ol { list-style: none; padding: 0 }
ol li { border-top: 1px solid #8886; padding: .3rem 0 } time, .id { font-family: monospace; margin-right: .6rem }
@media (prefers-color-scheme: dark) { :root { background: #121417; color: #e4e6eb } a { color: #8ab8ff } }
`

const script = `
const list = document.querySelector('ol')
const seen = new Set()
new EventSource('sandbox/events').onmessage = ({ data }) => {
  if (seen.has(data)) return
  seen.add(data)
  const { at, requestId, who, what } = JSON.parse(data)
  const item = document.createElement('li')
  const part = (name, text, title) => {
    const element = item.appendChild(document.createElement(name))
    element.textContent = text + ' '
    if (title) element.title = title
    return element
  }
  part('time', at.slice(11, 23))
  part('span', requestId.slice(0, 8), requestId).className = 'id'
  part('strong', who)
  part('span', what)
  list.prepend(item)
}
`

const sha256 = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src ${sha256(style)}`,
  `script-src ${sha256(script)}`,
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The scenarios by their digits, without the ordinary scenario. */
function renderScenarios(): string {
  const ordinary = chooseScenario(999)
  const items = Array.from({ length: 1000 }, (_, digits) => ({ digits, scenario: chooseScenario(digits) }))
    .filter(({ scenario }) => scenario !== ordinary)
    .map(({ digits, scenario }) => `<li><code>${String(digits).padStart(3, '0')}</code> ${scenario.name}</li>`)
  return `${items.join('')}<li>anything else: ${ordinary.name}</li>`
}

function renderPage(origin: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>Sandbox</title><style>${style}</style><main><h1>Sandbox</h1>
<p>FreedomPay’s stand-in, at <code>${origin}</code>. No real client is created. Send something from <a href="docs">the documentation</a> and watch.</p>
<h2>Scenarios: the last three digits of the phone number</h2><ul class="scenarios">${renderScenarios()}</ul>
<h2>What happens, newest first</h2><ol aria-live="polite"></ol></main><script>${script}</script></html>`
}
