/** The pages of the problems as HTML, for people. */
import { createHash } from 'node:crypto'
import { type ProblemCode, problemCodes, problems } from './catalogue.ts'

export function renderCatalogue(basePath: string): string {
  const rows = problemCodes.map((code) => {
    const { status, title, safeToRetry } = problems[code]
    return `<tr><td>${status}</td><td><a href="${basePath}/problems/${code}">${code}</a></td><td>${title}</td><td>${safeToRetry}</td></tr>`
  })
  const head = '<tr><th>Status</th><th>Code</th><th>What happened</th><th>Safe to retry</th></tr>'
  return renderHtml('Problems', `<table><thead>${head}</thead><tbody>${rows.join('')}</tbody></table>`)
}

export function renderPage(code: ProblemCode, basePath: string): string {
  const { status, title, safeToRetry, happened, retry } = problems[code]
  return renderHtml(
    title,
    `<p><code>${code}</code>, HTTP ${status}</p><h2>What happened</h2><p>${renderCode(happened)}</p>
<h2>Retry?</h2><p><code>safeToRetry: ${safeToRetry}</code></p><p>${renderCode(retry)}</p>
<h2>Support</h2><p>${renderCode(support)}</p><p><a href="${basePath}/problems">All problems</a></p>`,
  )
}

const support =
  'Quote `requestId` if the body has one: it names the create, here and at FreedomPay, and is the same for every retry with one key. Otherwise quote the header `X-Request-Id`: it names this one HTTP request in the logs.'

function renderCode(text: string): string {
  return text.replace(/`([^`]+)`/g, '<code>$1</code>')
}

const style = `
:root { color-scheme: light dark; background: #fff; color: #1b1f24 }
a { color: #0b57d0 }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #8886 }
@media (prefers-color-scheme: dark) { :root { background: #121417; color: #e4e6eb } a { color: #8ab8ff } }
@media (max-width: 40rem) {
  body { margin: 1rem auto } tr, td { display: block } thead { display: none }
  tr { padding: .6rem 0; border-bottom: 1px solid #8886 } td { padding: 0; border: 0; overflow-wrap: anywhere }
  td:first-child::before { content: 'HTTP ' } td:last-child::before { content: 'Safe to retry: ' }
}
`

/** The page loads only its own style. Its icon is empty, so that browsers do not ask for `/favicon.ico`. */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

function renderHtml(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><title>${title}</title><style>${style}</style><main><h1>${title}</h1>${body}</main></html>`
}
