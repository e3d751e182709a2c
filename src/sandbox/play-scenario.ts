/** The replies of a scenario: to the create, and to a question about the create. */
import { declineWith, failWith, now, type Reply } from './replies.ts'
import type { Scenario, State, Timings } from './scenarios.ts'

/** 2^53 + 1: JavaScript rounds this number to 2^53. */
const unsafeClientId = '9007199254740993'

/** FreedomPay's answer to a create never holds the client's id, also if the client exists already. */
export function playAdd({ add, registers }: Scenario, { byteIntervalMs }: Timings): Reply {
  const body = { ...registers?.first.says, dt: now() }
  switch (add) {
    case 'answers':
    case 'answers 429 once':
      return { kind: 'json', statusCode: 200, body }
    case 'answers one byte at a time':
      return { kind: 'json byte by byte', body, byteIntervalMs }
    case 'answers html':
      return { kind: 'html', statusCode: 200 }
    case 'answers 401':
      return failWith(401, 'Wrong credentials (sandbox)')
    case 'answers 500':
      return failWith(500, 'Internal error (sandbox)')
    case 'answers 502':
      return failWith(502, 'Bad gateway (sandbox)')
    case 'cuts the connection':
      return { kind: 'cut connection' }
    case 'never answers':
      return { kind: 'none' }
    default:
      return add satisfies never
  }
}

export function unknownRequest(): Reply {
  return declineWith('1006', 'There is no request with this identifier')
}

export function playStatus(state: State, clientId: string): Reply {
  if (state.isHiddenBy === 'no such request') return unknownRequest()
  if (state.isHiddenBy === 'html 404') return { kind: 'html', statusCode: 404 }
  if (state.tellsClientId === 'unsafe') {
    const text = JSON.stringify({ ...state.says, dt: now(), client_id: 0, cards: [] })
    return { kind: 'text', text: text.replace('"client_id":0', `"client_id":${unsafeClientId}`) }
  }
  const client = state.tellsClientId ? { client_id: clientId, cards: [] } : {}
  return { kind: 'json', statusCode: 200, body: { ...state.says, dt: now(), ...client } }
}
