/** Who may call what: each route says by itself whether it is public, and what is not public wants a credential. */
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { readBearerToken } from '../auth/bearer-token.ts'
import { type Authenticator, anonymousCaller, type Caller } from '../auth/caller.ts'

export type Access = 'public' | 'private'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on private routes before anything else of the request is looked at; '' on public ones. */
    caller: Caller
  }
  interface FastifyContextConfig {
    /** Each route must say it: `config: { access: 'private' }`. */
    access?: Access
  }
}

export interface AuthenticationOptions {
  /** Undefined: nobody is asked, and every caller is anonymous. */
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
      // Whatever else a route may say: a credential is wanted.
      if (request.routeOptions.config.access === 'public') {
        done()
        return
      }
      if (authenticator === undefined) {
        setCaller(request, anonymousCaller)
        done()
        return
      }
      const caller = authenticator.authenticate(readBearerToken(request.raw.rawHeaders))
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

/** Checked when every route is there: a scope may declare for those that a plugin registers in it. */
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

/** For the routes of a plugin that knows nothing of this: all that come in this scope from here on are public. */
export function declarePublic(scope: FastifyInstance): void {
  scope.addHook('onRoute', (route) => {
    route.config = { access: 'public', ...route.config }
  })
}
