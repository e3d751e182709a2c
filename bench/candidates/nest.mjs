/**
 * NestJS on its Fastify adapter, axios, class-validator, pino logs, prom-client: what a larger team writes.
 * Decorators are not erasable syntax, so they are called here as the functions they compile to.
 */
import 'reflect-metadata'
import { createHmac, randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { Body, Controller, Get, HttpException, Module, Post, Res, ValidationPipe } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import axios from 'axios'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { tap } from 'rxjs'
import { CreateClientDto } from './nest-dto.mjs'
import { toPartnerRequest } from './to-partner-request.ts'

const { PORT, FREEDOMPAY_BASE_URL, FREEDOMPAY_AUTH_ID, FREEDOMPAY_SECRET_KEY, FREEDOMPAY_PRODUCT_ID } = process.env

class FreedomPayService {
  #http = axios.create({
    baseURL: FREEDOMPAY_BASE_URL,
    timeout: 15_000,
    httpAgent: new Agent({ keepAlive: true }),
    maxRedirects: 0,
    maxBodyLength: 4 * 1024 ** 2,
  })

  async addClient(body, requestId) {
    return this.#call('/v5/card-api/client/add', toPartnerRequest(body, requestId, Number(FREEDOMPAY_PRODUCT_ID)))
  }

  async requestStatus(requestId) {
    return this.#call('/v5/card-api/request/status', { request_id: requestId })
  }

  async #call(path, message) {
    const body = Buffer.from(JSON.stringify(message))
    const header = { uri: path, auth_id: FREEDOMPAY_AUTH_ID, method: 'POST', params: '', alg: 'HS512' }
    const protectedHeader = Buffer.from(JSON.stringify(header)).toString('base64url')
    const signature = createHmac('sha512', FREEDOMPAY_SECRET_KEY)
      .update(`${protectedHeader}.${body.toString('base64url')}`)
      .digest('base64url')
    const { data } = await this.#http.post(path, body, {
      headers: { 'Content-Type': 'application/json', 'X-JWS-Signature': `${protectedHeader}..${signature}` },
    })
    return data
  }
}

class ClientsController {
  constructor(freedomPay) {
    this.freedomPay = freedomPay
  }

  async create(body, reply) {
    const requestId = randomUUID()
    const added = await this.freedomPay.addClient(body, requestId)
    if (added.status !== 'ok') throw new HttpException({ code: 'partner-rejected', requestId }, 422)
    const answer = await this.freedomPay.requestStatus(requestId)
    const created = answer.status === 'ok' && answer.request_status === 'success'
    if (!created) reply.status(202)
    return {
      requestId,
      status: created ? 'created' : 'processing',
      clientId: answer.client_id,
      updatedAt: new Date().toISOString(),
    }
  }
}

const registry = new Registry()
collectDefaultMetrics({ register: registry })
const duration = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of HTTP requests',
  labelNames: ['method', 'route', 'status_code'],
  registers: [registry],
})

class MetricsController {
  metrics() {
    return registry.metrics()
  }
}

class MetricsInterceptor {
  intercept(context, next) {
    const http = context.switchToHttp()
    const request = http.getRequest()
    const stop = duration.startTimer({ method: request.method, route: request.routeOptions.url })
    return next.handle().pipe(
      tap({
        next: () => stop({ status_code: http.getResponse().statusCode }),
        error: (error) => stop({ status_code: error.status ?? 500 }),
      }),
    )
  }
}

function decorateMethod(target, method, decorator) {
  decorator(target.prototype, method, Object.getOwnPropertyDescriptor(target.prototype, method))
}

Controller('clients')(ClientsController)
decorateMethod(ClientsController, 'create', Post())
Body()(ClientsController.prototype, 'create', 0)
Res({ passthrough: true })(ClientsController.prototype, 'create', 1)
// What the compiler emits for the parameters' types.
Reflect.defineMetadata('design:paramtypes', [CreateClientDto, Object], ClientsController.prototype, 'create')
Reflect.defineMetadata('design:paramtypes', [FreedomPayService], ClientsController)

Controller('metrics')(MetricsController)
decorateMethod(MetricsController, 'metrics', Get())

class AppModule {}
Module({ controllers: [ClientsController, MetricsController], providers: [FreedomPayService] })(AppModule)

const adapter = new FastifyAdapter({ logger: { level: 'info' }, bodyLimit: 3 * 1024 ** 2 })
const app = await NestFactory.create(AppModule, adapter, { logger: ['error', 'warn'] })
app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }))
app.useGlobalInterceptors(new MetricsInterceptor())
await app.listen(Number(PORT), '127.0.0.1')
