/** An unknown address is a 404; a known address with another method is a 405. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems/problem.ts'

export default fp(
  async function notFound(app: FastifyInstance) {
    const allowedMethods = collectAllowedMethods(app)

    // Before the body is read: the body cannot change the answer.
    app.addHook('onRequest', (request, _reply, done) => {
      if (request.is404) throw toNoRoute(request, allowedMethods)
      done()
    })
    // For a route that finds nothing under its address. Fastify's own answer quotes the address.
    app.setNotFoundHandler(() => {
      throw new Problem('not-found')
    })
  },
  { name: 'not-found', dependencies: ['error-handler'] },
)

type AllowedMethods = (path: string) => string[]

/** The methods of a path, collected here because the router cannot be asked about a method that it does not know. */
function collectAllowedMethods(app: FastifyInstance): AllowedMethods {
  const routes = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    const route = routes.get(url) ?? { pattern: toPattern(url), methods: new Set<string>() }
    for (const name of [method].flat()) route.methods.add(name)
    routes.set(url, route)
  })
  return (path) => {
    const matching = [...routes.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(matching.flatMap(({ methods }) => [...methods]))].sort()
  }
}

/** The pattern of a route as a regular expression: `:name` is one segment, `*` is the rest. */
function toPattern(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/:\w+/g, '[^/]+').replace(/\*/g, '.*')}$`)
}

/** The path that the router matches: without scheme, host and query, and decoded but for the characters that divide an address. */
function toPath(url: string): string {
  const [path = ''] = url.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1)
  // The router has refused every address that cannot be decoded.
  return decodeURI(path)
}

function toNoRoute(request: FastifyRequest, allowedMethods: AllowedMethods): Problem {
  const allow = allowedMethods(toPath(request.url))
  return allow.length === 0 || allow.includes(request.method)
    ? new Problem('not-found')
    : new Problem('method-not-allowed', { headers: { allow: allow.join(', ') } })
}
