/** The pages that `type` of a problem leads to: HTML for people, JSON for programs. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { Problem, ProblemBody, type ProblemCode, problemCodes, problems, SafeToRetry } from './problems.ts'

const ProblemPage = Type.Object({
  type: Type.String(),
  code: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  safeToRetry: SafeToRetry,
  happened: Type.String({ description: 'What happened' }),
  retry: Type.String({ description: 'Whether and how to try again' }),
})

const html = { 'text/html': { schema: Type.String() } }
const notFound = {
  description: 'No such problem',
  content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
}

export async function registerProblemPages(app: FastifyInstance): Promise<void> {
  app.addSchema({ $id: 'Problem', ...ProblemBody })

  app.get('/problems', {
    schema: {
      operationId: 'listProblems',
      summary: 'Every problem this API can answer with',
      tags: ['problems'],
      response: {
        200: {
          description: 'The catalogue; JSON where Accept prefers it',
          content: { 'application/json': { schema: Type.Object({ problems: Type.Array(ProblemPage) }) }, ...html },
        },
        400: {
          description: 'The request breaks the contract',
          content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
        },
      },
    },
    handler: async (request, reply) =>
      answer(request, reply, { problems: problemCodes.map(toPage) }, () => renderCatalogue()),
  })

  app.get<{ Params: { code: string } }>('/problems/:code', {
    schema: {
      operationId: 'readProblem',
      summary: 'What happened, whether to retry, and how',
      tags: ['problems'],
      params: Type.Object({
        code: Type.String({ description: '`code` of a problem', examples: ['partner-rejected'] }),
      }),
      response: {
        200: {
          description: 'The explanation; JSON where Accept prefers it',
          content: { 'application/json': { schema: ProblemPage }, ...html },
        },
        404: notFound,
      },
    },
    handler: async (request, reply) => {
      const { code } = request.params
      if (!isProblemCode(code)) throw new Problem('not-found')
      return answer(request, reply, toPage(code), () => renderPage(code))
    },
  })
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code)
}

function toPage(code: ProblemCode) {
  return { type: `/problems/${code}`, code, ...problems[code] }
}

function answer(request: FastifyRequest, reply: FastifyReply, json: object, renderHtml: () => string) {
  reply.header('vary', 'accept')
  if (qualityOf('application/json', request.headers.accept) > qualityOf('text/html', request.headers.accept)) {
    return reply.type('application/json').send(json)
  }
  return reply.type('text/html; charset=utf-8').serializer(String).send(renderHtml())
}

/** The weight of a media type in an `Accept` header (RFC 9110, section 12.5.1), without its wildcards. */
function qualityOf(mediaType: string, accept = ''): number {
  for (const range of accept.split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    if (type === mediaType) return Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1)
  }
  return 0
}

function renderCatalogue(): string {
  const rows = problemCodes.map((code) => {
    const { status, title, safeToRetry } = problems[code]
    return `<tr><td>${status}</td><td><a href="/problems/${code}">${code}</a></td><td>${title}</td><td>${safeToRetry}</td></tr>`
  })
  const head = '<tr><th>Status</th><th>Code</th><th>What happened</th><th>Safe to retry</th></tr>'
  return renderHtml('Problems', `<table>${head}${rows.join('')}</table>`)
}

function renderPage(code: ProblemCode): string {
  const { status, title, safeToRetry, happened, retry } = problems[code]
  return renderHtml(
    title,
    `<p><code>${code}</code>, HTTP ${status}</p><h2>What happened</h2><p>${renderCode(happened)}</p>
<h2>Retry?</h2><p><code>safeToRetry: ${safeToRetry}</code></p><p>${renderCode(retry)}</p><p><a href="/problems">All problems</a></p>`,
  )
}

function renderCode(text: string): string {
  return text.replace(/`([^`]+)`/g, '<code>$1</code>')
}

function renderHtml(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } th, td { text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #8886 }
</style><h1>${title}</h1>${body}</html>`
}
