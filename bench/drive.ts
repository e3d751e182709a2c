/** One bounded load, driven with autocannon. */
import { randomUUID } from 'node:crypto'
import autocannon, { type Client, type Request } from 'autocannon'
import { percentile } from './statistics.ts'

export interface DriveOptions {
  /** Several: the connections are spread over them. */
  readonly urls: readonly string[]
  readonly body: Buffer
  readonly connections: number
  readonly seconds: number
  /** A fresh Idempotency-Key for each request. */
  readonly keyed: boolean
  readonly authorization?: string | undefined
  /** No more requests than this, in all and per second. */
  readonly maxRequests?: number
  readonly requestsPerSecond?: number
  /** Ends the load earlier. */
  readonly until?: Promise<unknown>
}

export interface Driven {
  readonly completed: number
  readonly failed: number
  /** What failed, in words. */
  readonly faults: string
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const defaultMaxRequests = 200_000
const requestTimeoutSeconds = 30

export async function drive(options: DriveOptions): Promise<Driven> {
  const { urls, body, connections, seconds, keyed, authorization, maxRequests = defaultMaxRequests } = options
  const clients: Client[] = []
  const latenciesMs: number[] = []
  let stopped = false
  let completedInTime = 0

  const run = autocannon({
    url: urls.map((url) => `${url}/clients`),
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(authorization && { authorization }) },
    body,
    connections,
    // Ended from here, see stopGently; this is the last resort.
    duration: seconds + requestTimeoutSeconds,
    timeout: requestTimeoutSeconds,
    sampleInt: 50,
    ...(options.requestsPerSecond === undefined ? {} : { overallRate: options.requestsPerSecond }),
    ...(keyed ? { requests: [{ setupRequest: addIdempotencyKey }] } : {}),
    setupClient: (client) => {
      clients.push(client)
    },
  })

  const startedAt = performance.now()
  let stoppedAt = startedAt

  /** No request is cut off half-way: a create that nobody waits for would still cost its process. */
  function stopGently(): void {
    if (stopped) return
    stopped = true
    stoppedAt = performance.now()
    completedInTime = latenciesMs.length
    for (const client of clients) client.responseMax = client.reqsMade
  }

  run.on('response', (_client: Client, _statusCode: number, _bytes: number, latencyMs: number) => {
    latenciesMs.push(latencyMs)
    if (latenciesMs.length + connections > maxRequests) stopGently()
  })
  const timer = setTimeout(stopGently, seconds * 1000)
  options.until?.then(stopGently, stopGently)

  const result = await run
  clearTimeout(timer)
  stopGently()
  return {
    completed: latenciesMs.length,
    failed: result.errors + result.non2xx,
    faults: describeFaults(result.errors, result.statusCodeStats),
    requestsPerSecond: completedInTime / ((stoppedAt - startedAt) / 1000),
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  }
}

function addIdempotencyKey(request: Request): Request {
  return { ...request, headers: { ...request.headers, 'idempotency-key': randomUUID() } }
}

function describeFaults(errors: number, statuses: Record<string, { readonly count: number }>): string {
  const others = Object.entries(statuses).filter(([status]) => !status.startsWith('2'))
  return [
    ...others.map(([status, { count }]) => `${count} × ${status}`),
    ...(errors > 0 ? [`${errors} errors`] : []),
  ].join(', ')
}
