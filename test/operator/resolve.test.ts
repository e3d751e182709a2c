/** A decision whose write the ledger does not confirm. */
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { openMemoryLedger } from '../../src/ledger/memory.ts'
import { exitCodes, OperatorError } from '../../src/operator/exit.ts'
import type { OperatorLedger } from '../../src/operator/open-ledger.ts'
import { buildResolveRow } from '../../src/operator/resolve-row.ts'
import { bringTo } from '../fixtures/ledger-rows.ts'
import { newKeyedClaim } from '../fixtures/ledgers.ts'

const away = async () => {
  throw new OperatorError(exitCodes.unavailable, 'The ledger cannot be reached.')
}

/** Resolves a row of a ledger that fails as `faults` say. */
async function resolve(t: Test, faults: (ledger: OperatorLedger) => Partial<OperatorLedger>) {
  const ledger = openMemoryLedger({ retentionMs: 1000 })
  const { requestId } = await bringTo(ledger, newKeyedClaim({ deadlineMs: 0 }), 'unknown')
  // The row holds an earlier decision with the same words.
  await ledger.resolve(requestId, { state: 'rejected', clientId: undefined, by: 'ann', why: 'OPS-17' })
  const logged: unknown[] = []
  const printed: string[] = []
  const log = { warn: (fields: object, msg: string) => void logged.push({ ...fields, msg }) }
  const terminal = { print: (line: string) => void printed.push(line), tell() {}, ask: async () => undefined }
  const args = [requestId, '--as', 'rejected', '--by', 'ann', '--why', 'OPS-17', '--yes']
  const work = buildResolveRow(log).prepare(args)
  const openLedger = async () => ({ ...ledger, ...faults(ledger) })
  const error = await work({ config: loadConfig({}), terminal, openLedger }).then(
    () => undefined,
    (cause: OperatorError) => cause,
  )
  t.strictSame(printed, [], 'nothing is told as done')
  t.equal(error?.exitCode, exitCodes.unavailable)
  return { message: error?.message, logged, requestId }
}

t.test('where the answer is lost, the row says that the decision stands', async (t) => {
  const { message, logged, requestId } = await resolve(t, (ledger) => ({
    async resolve(...decision) {
      await ledger.resolve(...decision)
      return away()
    },
  }))
  t.match(message, /The row holds the decision.*did not confirm/)
  t.match(logged, [
    { requestId, from: 'rejected', state: 'rejected', by: 'ann', msg: 'a person has resolved an outcome' },
  ])
})

t.test('where the row is as before, a late write is not excluded', async (t) => {
  const { message, logged, requestId } = await resolve(t, () => ({ resolve: away }))
  t.match(message, /The row does not hold the decision.*may still come/)
  t.match(logged, [{ requestId, state: 'rejected', by: 'ann', msg: 'a person’s decision may come late' }])
})

t.test('where the row cannot be read either, nothing is known', async (t) => {
  let looks = 0
  const { message, logged, requestId } = await resolve(t, (ledger) => ({
    resolve: away,
    inspect: (id) => (looks++ === 0 ? ledger.inspect(id) : away()),
  }))
  t.match(message, /not known whether the row holds the decision/)
  t.match(logged, [{ requestId, state: 'rejected', by: 'ann', msg: 'a person’s decision may come late' }])
})
