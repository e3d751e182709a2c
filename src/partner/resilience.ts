/** What keeps a partner in trouble from being overrun, and us from waiting for it. Both refuse before anything is sent. */
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhenResult,
} from 'cockatiel'
import type { CardApi } from './card-api.ts'
import type { Outcome, Result } from './outcome.ts'

export const circuitStates = ['closed', 'open', 'half_open'] as const
export type CircuitStateName = (typeof circuitStates)[number]

/** A partner that answers "no" is in good health; one that cannot be reached, or fails, is not. */
const transportFailures: readonly Result[] = ['timeout', 'reset', 'refused', 'dns', 'tls', 'http_5xx']

const consecutiveFailures = 5
/** Short, because what is risked then is one question and no create. */
const halfOpenAfterMs = 1000

const notAdmitted: Outcome = { kind: 'not-admitted', result: 'refused' }

/** Opens after a run of transport failures. A question for a status is the probe; a create never is. */
export function withCircuitBreaker(cardApi: CardApi, onState: (state: CircuitStateName) => void): CardApi {
  const breaker = circuitBreaker(
    handleWhenResult((outcome) => transportFailures.includes((outcome as Outcome).result)),
    { halfOpenAfter: halfOpenAfterMs, breaker: new ConsecutiveBreaker(consecutiveFailures) },
  )
  breaker.onStateChange((state) => {
    if (state === CircuitState.Closed) onState('closed')
    else onState(state === CircuitState.HalfOpen ? 'half_open' : 'open')
  })

  async function admit(call: () => Promise<Outcome>): Promise<Outcome> {
    // Somebody else's probe is under way. To wait for it could take longer than whoever calls has time.
    if (breaker.state === CircuitState.HalfOpen) return notAdmitted
    try {
      return await breaker.execute(call)
    } catch (error) {
      if (error instanceof BrokenCircuitError) return notAdmitted
      throw error
    }
  }

  const requestStatus: CardApi['requestStatus'] = (requestId, context) =>
    admit(() => cardApi.requestStatus(requestId, context))

  return {
    requestStatus,
    async addClient(request, context) {
      if (breaker.state !== CircuitState.Closed) await requestStatus(request.requestId, context)
      if (breaker.state !== CircuitState.Closed) return notAdmitted
      return admit(() => cardApi.addClient(request, context))
    },
  }
}

/** Runs the work, or says at once that there is no room for it. */
export type Bulkhead = <T>(work: () => Promise<T>, onFull: () => Error) => Promise<T>

/** At most `limit` creates in flight, and no queue behind them: a caller that is refused can go elsewhere. */
export function createBulkhead(limit: number): Bulkhead {
  const policy = bulkhead(limit, 0)
  return async (work, onFull) => {
    try {
      return await policy.execute(work)
    } catch (error) {
      throw error instanceof BulkheadRejectedError ? onFull() : error
    }
  }
}
