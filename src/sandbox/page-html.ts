/** The page of the sandbox as HTML. */
import { createHash } from 'node:crypto'
import { chooseScenario } from './scenarios.ts'

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
export const contentSecurityPolicy = [
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

export function renderPage(origin: string, hasDocs: boolean): string {
  const from = hasDocs ? 'from <a href="docs">the documentation' : 'as <a href="openapi.json">the OpenAPI document says'
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>Sandbox</title><style>${style}</style><main><h1>Sandbox</h1>
<p>FreedomPay’s stand-in, at <code>${origin}</code>. No real client is created. Send something ${from}</a> and watch.</p>
<h2>Scenarios: the last three digits of the phone number</h2><ul class="scenarios">${renderScenarios()}</ul>
<h2>What happens, newest first (times in UTC)</h2><ol aria-live="polite"></ol></main><script>${script}</script></html>`
}
