/** The pages that `type` of a problem leads to: HTML for people, JSON for programs. */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { everyAnswer, everyRouteCodes, problemAnswers } from './answers.ts'
import { type ProblemCode, problemCodes, problems, SafeToRetry } from './catalogue.ts'
import { Problem, ProblemBody } from './problem.ts'

const ProblemPage = Type.Object(
  {
    type: Type.String({ description: 'Address of the page', format: 'uri-reference' }),
    code: ProblemBody.properties.code,
    title: ProblemBody.properties.title,
    status: ProblemBody.properties.status,
    safeToRetry: SafeToRetry,
    happened: Type.String({ description: 'What happened' }),
    retry: Type.String({ description: 'Whether and how to try again' }),
  },
  { title: 'ProblemPage', description: 'What a problem means' },
)
const Catalogue = Type.Object(
  { problems: Type.Array(ProblemPage) },
  { title: 'ProblemCatalogue', description: 'Every problem that this API knows' },
)

const html = { 'text/html': { schema: Type.String() } }

export async function registerProblemPages(app: FastifyInstance): Promise<void> {
  /** Public: the page holds no caller's data. */
  app.get('/problems', {
    config: { access: 'public' },
    schema: {
      operationId: 'listProblems',
      summary: 'Every problem that this API can answer with',
      tags: ['problems'],
      response: {
        200: {
          description: 'The catalogue: HTML, or JSON if `Accept` prefers JSON',
          headers: everyAnswer,
          content: { 'application/json': { schema: Catalogue }, ...html },
        },
        ...problemAnswers(everyRouteCodes),
      },
    },
    handler: async (request, reply) =>
      answer(request, reply, { problems: problemCodes.map((code) => toPage(code, app.prefix)) }, () =>
        renderCatalogue(app.prefix),
      ),
  })

  /** The page that `type` of a problem leads to. Public: the page holds no caller's data. */
  app.get<{ Params: { code: string } }>('/problems/:code', {
    config: { access: 'public' },
    schema: {
      operationId: 'readProblem',
      summary: 'What happened, whether to retry, and how',
      tags: ['problems'],
      params: Type.Object({
        code: Type.String({ description: '`code` of a problem', examples: ['partner-rejected'] }),
      }),
      response: {
        200: {
          description: 'The explanation: HTML, or JSON if `Accept` prefers JSON',
          headers: everyAnswer,
          content: { 'application/json': { schema: ProblemPage }, ...html },
        },
        ...problemAnswers(everyRouteCodes),
      },
    },
    handler: async (request, reply) => {
      const { code } = request.params
      if (!isProblemCode(code)) throw new Problem('not-found')
      return answer(request, reply, toPage(code, app.prefix), () => renderPage(code, app.prefix))
    },
  })
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code)
}

function toPage(code: ProblemCode, basePath: string) {
  return { type: `${basePath}/problems/${code}`, code, ...problems[code] }
}

function answer(request: FastifyRequest, reply: FastifyReply, json: object, renderHtml: () => string) {
  const { accept } = request.headers
  reply.header('vary', 'accept')
  if (qualityOf('application/json', accept) > qualityOf('text/html', accept)) {
    return reply.type('application/json').send(json)
  }
  reply.header('content-security-policy', contentSecurityPolicy)
  return reply.type('text/html; charset=utf-8').serializer(String).send(renderHtml())
}

/**
 * The weight of a media type in an `Accept` header (RFC 9110, section 12.5.1): its most specific range counts. Fastify's
 * accept-negotiator is made for encodings: `text/*`, `*\/*` and capital letters are unknown to it.
 */
function qualityOf(mediaType: string, accept = '*/*'): number {
  const weights = new Map<string, number>()
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const weight = parameters.find((part) => part.startsWith('q='))
    weights.set(type, weight === undefined ? 1 : Number(weight.slice(2)))
  }
  const [group] = mediaType.split('/')
  return weights.get(mediaType) ?? weights.get(`${group}/*`) ?? weights.get('*/*') ?? 0
}

function renderCatalogue(basePath: string): string {
  const rows = problemCodes.map((code) => {
    const { status, title, safeToRetry } = problems[code]
    return `<tr><td>${status}</td><td><a href="${basePath}/problems/${code}">${code}</a></td><td>${title}</td><td>${safeToRetry}</td></tr>`
  })
  const head = '<tr><th>Status</th><th>Code</th><th>What happened</th><th>Safe to retry</th></tr>'
  return renderHtml('Problems', `<table><thead>${head}</thead><tbody>${rows.join('')}</tbody></table>`)
}

function renderPage(code: ProblemCode, basePath: string): string {
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
const contentSecurityPolicy = [
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
