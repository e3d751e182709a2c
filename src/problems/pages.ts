/** The pages that `type` of a problem leads to: HTML for people, JSON for programs. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import Type from 'typebox'
import { everyAnswer, everyRouteCodes, problemAnswers } from './answers.ts'
import { type ProblemCode, problemCodes, problems, SafeToRetry } from './catalogue.ts'
import { renderCatalogue, renderPage } from './page-html.ts'
import { contentSecurityPolicy } from './page-layout.ts'
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

export default fp(
  async function problemPages(app: FastifyInstance) {
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
  },
  { name: 'problem-pages', dependencies: ['schema-compilers', 'error-handler', 'authentication'] },
)

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
