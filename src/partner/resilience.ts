/** What keeps a partner in trouble from being overrun, and us from waiting for it. It refuses before anything is sent. */
import { BrokenCircuitError, CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhenResult } from 'cockatiel'
import type { CardApi } from './card-api.ts'
import type { Outcome, Result } from './outcome.ts'

export const circuitStates = ['closed', 'open', 'half_open'] as const
export type CircuitStateName = (typeof circuitStates)[number]

/** A partner that answers "no" is in good health; one that cannot be reached, or fails, is not. */
const transportFailures: readonly Result[] = ['timeout', 'reset', 'refused', 'dns', 'tls', 'http_5xx']

const consecutiveFailures = 5
/** Short, because what is risked then is one question and no create. */
const halfOpenAfterMs = 1000
/** A partner that takes longer for a status is not well yet. */
const longestProbeMs = 2000

const notAdmitted: Outcome = { kind: 'not-admitted', result: 'refused' }

/** Opens after a run of transport failures. A question for a status is the probe; a create never is. */
export function withCircuitBreaker(cardApi: CardApi, onState: (state: CircuitStateName) => void): CardApi {
  const failures = new ConsecutiveBreaker(consecutiveFailures)
  const breaker = circuitBreaker(
    handleWhenResult((outcome) => isTransportFailure(outcome as Outcome)),
    { halfOpenAfter: halfOpenAfterMs, breaker: failures },
  )
  breaker.onStateChange((state) => {
    if (state === CircuitState.Closed) onState('closed')
    else onState(state === CircuitState.HalfOpen ? 'half_open' : 'open')
  })

  /** A call that began while the circuit was closed. */
  async function learnFrom(call: Promise<Outcome>): Promise<Outcome> {
    const outcome = await call
    // What ends after the circuit has opened says nothing new, and must not be taken for a probe.
    if (outcome.isOurDoing || breaker.state !== CircuitState.Closed) return outcome
    if (isTransportFailure(outcome)) return await breaker.execute(() => outcome)
    // All that `execute` does for a success while the circuit is closed.
    failures.success()
    return outcome
  }

  async function probe(call: () => Promise<Outcome>): Promise<Outcome> {
    // Another call's probe is under way. To wait for its end could take longer than this call has time.
    if (breaker.state === CircuitState.HalfOpen) return notAdmitted
    try {
      return await breaker.execute(call)
    } catch (error) {
      if (error instanceof BrokenCircuitError) return notAdmitted
      throw error
    }
  }

  const requestStatus: CardApi['requestStatus'] = (requestId, context) => {
    if (breaker.state === CircuitState.Closed) return learnFrom(cardApi.requestStatus(requestId, context))
    const deadlineAt = Math.min(context.deadlineAt, performance.now() + longestProbeMs)
    return probe(() => cardApi.requestStatus(requestId, { ...context, deadlineAt }))
  }

  const addClient: CardApi['addClient'] = (request, context) => learnFrom(cardApi.addClient(request, context))

  async function addAfterProbe(...[request, context]: Parameters<CardApi['addClient']>): Promise<Outcome> {
    await requestStatus(request.requestId, context)
    return breaker.state === CircuitState.Closed ? addClient(request, context) : notAdmitted
  }

  return {
    requestStatus,
    addClient: (request, context) =>
      breaker.state === CircuitState.Closed ? addClient(request, context) : addAfterProbe(request, context),
  }
}

function isTransportFailure({ result }: Outcome): boolean {
  return transportFailures.includes(result)
}
