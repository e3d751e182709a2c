/** Who may call which route: each route declares itself public or private, and a private route requires a credential. */
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { readBearerToken } from '../auth/bearer-token.ts'
import { type Authenticator, anonymousCaller, type Caller } from '../auth/caller.ts'

export type Access = 'public' | 'private'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on private routes before anything else of the request is checked; '' on public routes. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** Each route must declare its access: `config: { access: 'private' }`. */
    access?: Access
  }
}

export interface AuthenticationOptions {
  /** Undefined: no credential is required, and every caller is anonymous. */
  readonly authenticator: Authenticator | undefined
}

export default fp(
  async function authentication(app: FastifyInstance, { authenticator }: AuthenticationOptions) {
    requireDeclarations(app)
    app.decorateRequest('caller', '')

    const setCaller = (request: FastifyRequest, caller: Caller) => {
      request.caller = caller
      request.log.caller = caller
    }

    app.addHook('onRequest', (request, _reply, done) => {
      // Any value but 'public' requires a credential, so that a mistake never opens a route.
      if (request.routeOptions.config.access === 'public') {
        done()
        return
      }
      if (authenticator === undefined) {
        setCaller(request, anonymousCaller)
        done()
        return
      }
      const caller = authenticator.authenticate(readBearerToken(request.raw.rawHeaders), request.headers)
      if (typeof caller === 'string') {
        setCaller(request, caller)
        done()
        return
      }
      caller.then((verified) => {
        setCaller(request, verified)
        done()
      }, done)
    })
  },
  { name: 'authentication' },
)

/** Checked only when every route is registered: a scope may declare the access for the routes of a plugin. */
function requireDeclarations(app: FastifyInstance): void {
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => {
    routes.push(route)
  })
  app.addHook('onReady', (done) => {
    const silent = routes.filter(({ config }) => config?.access !== 'public' && config?.access !== 'private')
    const names = silent.map(({ method, url }) => `${[method].flat().join(', ')} ${url}`)
    done(names.length === 0 ? undefined : new Error(`These routes do not say who may call them: ${names.join('; ')}`))
  })
}

/** For a plugin that cannot declare the access of its routes: all later routes of this scope are public. */
export function declarePublic(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { access: 'public', ...route.config }
  })
}
