/** Replicas whose clocks are wrong share one ledger on a server: every time is the server's. */
import t, { type Test } from 'tap'
import { bringTo, makeDue } from '../fixtures/ledger-rows.ts'
import { engines, newClaim, newKeyedClaim } from '../fixtures/ledgers.ts'

const hourMs = 3_600_000
const halfHourMs = 1_800_000
const minuteMs = 60_000

/** From now on, until the end of the test, the clock of this process is wrong. */
function turnClock(t: Test, byMs: number): void {
  const now = Date.now.bind(Date)
  class WrongDate extends Date {
    constructor(value: number | string = now() + byMs) {
      super(value)
    }
    static override now(): number {
      return now() + byMs
    }
  }
  t.intercept(globalThis, 'Date', { value: WrongDate })
}

for (const { name, skip, prepare } of engines.filter(({ name }) => name === 'Redis' || name === 'PostgreSQL')) {
  t.test(name, { skip }, async (t) => {
    const { open } = await prepare(t)
    for (const byMs of [-hourMs, hourMs]) {
      await t.test(`a clock that is off by ${byMs} ms moves no time of a row`, async (t) => {
        const ledger = await open(t, { retentionMs: halfHourMs })
        const running = newKeyedClaim({ deadlineMs: minuteMs })
        await ledger.claim(running)
        const { requestId: settled } = await bringTo(ledger, newClaim(), 'created')
        const startedAtMs = Date.now()
        turnClock(t, byMs)
        t.ok(Math.abs(Date.now() - startedAtMs) > halfHourMs, 'the clock of the process is wrong')

        const { sinceLastSendMs = 0, nextAskInMs = 0 } = (await ledger.inspect(running.requestId)) ?? {}
        t.ok(sinceLastSendMs <= 0 && sinceLastSendMs >= -minuteMs, `${sinceLastSendMs} ms since the last send`)
        t.ok(nextAskInMs > 0 && nextAskInMs <= 2 * minuteMs, `${nextAskInMs} ms until the next question`)
        t.strictSame(await ledger.takeDue(minuteMs, 10), [], 'a claim that runs is not asked about')
        const due = newClaim()
        await makeDue(ledger, due)
        t.match(await ledger.takeDue(minuteMs, 10), [{ requestId: due.requestId }])
        t.strictSame(await ledger.takeDue(minuteMs, 10), [], 'the lease is not over')
        await ledger.forgetOld()
        t.match(await ledger.find(settled), { state: 'created' }, 'a young row is kept')
        const { row } = await ledger.claim(newClaim())
        t.ok(Math.abs(row.updatedAtMs - startedAtMs) < minuteMs, 'callers are told the time of the server')
        t.match(await ledger.stats(), { unresolved: 1, needsAttention: 0 })
      })
    }
  })
}
