/** The pages of the problems as HTML, for people. */
import { type ProblemCode, problemCodes, problems } from './catalogue.ts'
import { renderHtml } from './page-layout.ts'

export function renderCatalogue(basePath: string): string {
  const rows = problemCodes.map((code) => {
    const { status, title, safeToRetry } = problems[code]
    return `<tr><td>${status}</td><td><a href="${basePath}/problems/${code}">${code}</a></td><td>${title}</td><td>${safeToRetry}</td></tr>`
  })
  const head = '<tr><th>Status</th><th>Code</th><th>What happened</th><th>Safe to retry</th></tr>'
  return renderHtml('Problems', `<table class="problems"><thead>${head}</thead><tbody>${rows.join('')}</tbody></table>`)
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
