/** Measures the duration and the result of each ledger call. */
import type { Ledger } from './ledger.ts'

/** The operations that a create or the reconciler waits for. */
export const ledgerOperations = [
  'claim',
  'renew',
  'record',
  'find',
  'findByKey',
  'takeDue',
  'postpone',
  'probe',
] as const
export type LedgerOperation = (typeof ledgerOperations)[number]

/** ok: the ledger answered, also if the answer is "already claimed" or "no row". */
export const ledgerResults = ['ok', 'error'] as const
export type LedgerResult = (typeof ledgerResults)[number]

export type ObserveLedger = (operation: LedgerOperation, result: LedgerResult, seconds: number) => void

export function observeLedger(ledger: Ledger, observe: ObserveLedger): Ledger {
  function timed<Args extends unknown[], Result>(operation: LedgerOperation, call: (...args: Args) => Promise<Result>) {
    return (...args: Args): Promise<Result> => {
      const startedAt = performance.now()
      const answer = call(...args)
      const end = (result: LedgerResult) => observe(operation, result, (performance.now() - startedAt) / 1000)
      answer.then(
        () => end('ok'),
        () => end('error'),
      )
      return answer
    }
  }
  return {
    ...ledger,
    claim: timed('claim', ledger.claim),
    renew: timed('renew', ledger.renew),
    record: timed('record', ledger.record),
    find: timed('find', ledger.find),
    findByKey: timed('findByKey', ledger.findByKey),
    takeDue: timed('takeDue', ledger.takeDue),
    postpone: timed('postpone', ledger.postpone),
    probe: timed('probe', ledger.probe),
  }
}
