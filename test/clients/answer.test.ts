import t from 'tap'
import { toAnswer } from '../../src/clients/answer.ts'

t.test(
  'what somebody else concluded is not called safe to retry by whoever does not know the fate of its own send',
  async (t) => {
    const row = {
      requestId: 'a',
      state: 'not-created',
      clientId: undefined,
      partnerCode: undefined,
      partnerDescription: undefined,
      updatedAtMs: 0,
    } as const
    t.match(toAnswer({ row, how: 'new' }, 'new').representation, { requestId: 'a', status: 'unknown' })
  },
)
