/** One call to the service, and what its answer says of the client. */
import { Agent, type Dispatcher, request } from 'undici'
import { holdsPersonalData } from './child.ts'
import type { Says, Statement } from './history.ts'
import type { Replica } from './replica.ts'

export interface Exchange {
  readonly statement: Statement
  /** How long the service asks to be left alone, where it does. */
  readonly retryAfterMs: number | undefined
}

export interface ServiceCall {
  readonly key: string
  readonly method: 'POST' | 'GET'
  readonly replica: Replica
  readonly path: string
  readonly options?: Partial<Dispatcher.RequestOptions>
}

export interface Exchanges {
  /** Never rejects. A caller that finds nobody there comes again when there is somebody. */
  exchange(call: ServiceCall): Promise<Exchange>
  close(): Promise<void>
}

export interface ExchangesParts {
  /** Where everything that was answered is written down. */
  readonly statements: Statement[]
  readonly leaks: string[]
}

/** Longer than any answer takes, even on a machine that stands still for a while. */
const patienceMs = 30_000

export function createExchanges({ statements, leaks }: ExchangesParts): Exchanges {
  const dispatcher = new Agent({ headersTimeout: patienceMs, bodyTimeout: patienceMs })

  async function exchangeOnce({ key, method, replica, path, options }: ServiceCall): Promise<Exchange> {
    const startedAt = Date.now()
    function record(
      said: Pick<Statement, 'says' | 'answer' | 'requestId' | 'clientId'>,
      retryAfter?: unknown,
    ): Exchange {
      const statement = { key, method, startedAt, endedAt: Date.now(), ...said }
      statements.push(statement)
      return { statement, retryAfterMs: retryAfter === undefined ? undefined : Number(retryAfter) * 1000 }
    }

    try {
      const { statusCode, headers, body } = await request(replica.url() + path, { ...options, dispatcher, method })
      const text = await body.text()
      if (holdsPersonalData(text)) leaks.push(`an answer to ${method} ${statusCode}`)
      const { status, code, requestId, clientId, safeToRetry } = JSON.parse(text)
      const answer = `${statusCode} ${code ?? status}`
      const says = interpret(method, answer)
      // Not sent by this request; an earlier one with the key may have been.
      const isAboutThisOne = says === 'not-created' && safeToRetry === 'same-key-only'
      return record({ says: isAboutThisOne ? 'not-sent' : says, answer, requestId, clientId }, headers['retry-after'])
    } catch (error) {
      const { code, name } = error as { code?: string | number; name: string }
      const answer = typeof code === 'string' ? code : name
      return record({ says: answer === nobodyThere ? 'not-sent' : 'nothing', answer })
    }
  }

  return {
    async exchange(call) {
      for (;;) {
        const exchanged = await exchangeOnce(call)
        if (exchanged.statement.answer !== nobodyThere) return exchanged
        await call.replica.whenUp()
      }
    },
    close: () => dispatcher.destroy(),
  }
}

const nobodyThere = 'ECONNREFUSED'

const meanings: Readonly<Record<string, Says>> = {
  'POST 201 created': 'created',
  'POST 202 processing': 'processing',
  'POST 202 unknown': 'unknown',
  'POST 409 request-in-progress': 'in-progress',
  'POST 422 partner-rejected': 'rejected',
  'POST 502 partner-misconfigured': 'not-created',
  'POST 503 partner-unavailable': 'not-created',
  'POST 503 overloaded': 'not-sent',
  'POST 503 ledger-unavailable': 'not-sent',
  'GET 200 created': 'created',
  'GET 200 processing': 'processing',
  'GET 200 unknown': 'unknown',
  'GET 200 rejected': 'rejected',
  'GET 200 not-created': 'not-created',
  'GET 404 not-found': 'absent',
  'GET 503 overloaded': 'nothing',
  'GET 503 ledger-unavailable': 'nothing',
}

/** `answer` as in `201 created`, `503 overloaded`; one that has no place in a run is a fault. */
export function interpret(method: 'POST' | 'GET', answer: string): Says {
  return meanings[`${method} ${answer}`] ?? 'fault'
}
