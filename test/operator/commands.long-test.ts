/** What the operators' program shows, and what it lets a person decide, as a process beside an open ledger. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { bringTo, postponement } from '../fixtures/ledger-rows.ts'
import { newClaim, newKeyedClaim } from '../fixtures/ledgers.ts'
import { addRow, decide, forEachSharedEngine } from '../fixtures/operator.ts'

// Each command is a process of its own, which takes its time where others are busy, too.
t.setTimeout(300_000)

forEachSharedEngine(t, async (t, { ledger, run }) => {
  await t.test('list shows what is not final, on 80 columns', async (t) => {
    t.match(await run(['list']), { code: 0, printed: 'No such rows.\n', errors: '' })
    t.match(await run(['list', '--json']), { code: 0, printed: '[]\n' })
    const unknown = await addRow(ledger, 'unknown')
    await ledger.postpone(postponement(unknown, { pauseMs: 250_000, takenAsks: 0, asks: 12 }))
    const processing = await addRow(ledger, 'processing')
    const created = await addRow(ledger, 'created')
    const inHand = newKeyedClaim({ deadlineMs: 600_000 })
    await ledger.claim(inHand)

    const { code, printed } = await run(['list'])
    t.equal(code, 0)
    const lines = printed.trimEnd().split('\n')
    for (const line of lines) t.ok(line.length <= 80, `${line.length} columns: ${line}`)
    t.match(lines[0], /^ {2}REQUEST ID +STATE +AGE +ASKS {2}NEXT QUESTION$/)
    t.match(
      lines.find((line) => line.includes(unknown.requestId)),
      /unknown +(?:\d+m )?\d+s +12 {2}in [34]m(?: \d+s)?$/,
    )
    t.match(
      lines.find((line) => line.includes(inHand.requestId)),
      /sent +in hand +0 {2}in (9|10)m/,
    )
    t.ok(printed.includes(processing.requestId))
    t.notOk(printed.includes(created.requestId))
    t.equal(lines.at(-1), '3 rows')

    const only = await run(['list', '--state', 'created,rejected', '--json'])
    t.match(JSON.parse(only.printed), [{ requestId: created.requestId, state: 'created', clientId: 'client-1' }])
    for (const secret of [created.claimToken, created.keyId ?? '', 'print-of-the-body']) {
      t.notOk(only.printed.includes(secret), 'and nothing that only the service needs')
    }
    t.match(await run(['list', '--older-than', '1h']), { code: 0, printed: 'No such rows.\n' })
  })

  await t.test('show tells all about one row', async (t) => {
    const { requestId } = await addRow(ledger, 'rejected')
    const { code, printed } = await run(['show', requestId.toUpperCase()])
    t.equal(code, 0)
    t.match(printed, new RegExp(`^request id +${requestId}\ncaller +caller\nstate +rejected\nreason +1001: no\n`))
    t.match(printed, /\nnext question +none\n$/)
    const shown = JSON.parse((await run(['show', requestId, '--json'])).printed)
    t.match(shown, { requestId, state: 'rejected', partner: { code: '1001' }, resolution: null })
    t.match(await run(['show', randomUUID()]), { code: 1, printed: '', errors: /has no row of/ })
  })

  await t.test('resolve moves forward, keeps who, when and why, and says so in the log', async (t) => {
    const { requestId } = await addRow(ledger, 'unknown')
    const resolved = await run(['resolve', requestId, ...decide('created', '--client-id', 'client-9', '--yes')])
    t.match(resolved, { code: 0, printed: /was unknown and is created\. Nothing asks/ })
    const line = JSON.parse(resolved.errors)
    t.match(line, { level: 'warn', msg: 'a person has resolved an outcome', requestId, from: 'unknown', by: 'ann' })
    const row = await ledger.inspect(requestId)
    const resolution = { by: 'ann', why: 'FreedomPay support' }
    t.match(row, { state: 'created', clientId: 'client-9', nextAskInMs: undefined, resolution })
    const { printed } = await run(['show', requestId])
    t.match(printed, /state +created, as a person has decided\nclient id +client-9\n/)
    t.match(printed, /resolved +by ann at 20\S+Z\nbecause +FreedomPay support\n/)
    t.match(await run(['resolve', requestId, ...decide('rejected', '--yes')]), { code: 0 }, 'a mistake is corrected')
  })

  await t.test('resolve is confirmed by the request id and by nothing else', async (t) => {
    const { requestId } = await addRow(ledger, 'unknown')
    const args = ['resolve', requestId, ...decide('not-created')]
    for (const input of ['', 'yes\n', `${randomUUID()}\n`]) {
      t.match(await run(args, { input }), { code: 1, printed: '', errors: /Nothing was changed/ })
    }
    t.match(await ledger.find(requestId), { state: 'unknown' })
    t.match(await run(args, { input: `${requestId}\n` }), { code: 0, errors: /may then send it again with the same/ })
    t.match(await ledger.find(requestId), { state: 'not-created' })
    const never = await run(args, { env: { PARTNER_RESEND: 'false' } })
    t.match(never, {
      code: 1,
      errors: /cannot send it again: PARTNER_RESEND is false, and the same idempotency key gets 503/,
    })
    t.notMatch(never.errors, /may then send it again/)
    const keyless = await bringTo(ledger, newClaim({ deadlineMs: 0 }), 'unknown')
    const told = await run(['resolve', keyless.requestId, ...decide('not-created')])
    t.match(told, { code: 1, errors: /would be not-created/ })
    t.notMatch(told.errors, /idempotency key/, 'the request had none')
  })

  await t.test('resolve goes against no word of FreedomPay, and not between a request and its end', async (t) => {
    const created = await addRow(ledger, 'created')
    const refused = await run(['resolve', created.requestId, ...decide('rejected', '--yes')])
    t.match(refused, { code: 1, printed: '', errors: /created by FreedomPay’s own word/ })
    const inHand = newKeyedClaim()
    await ledger.claim(inHand)
    const early = await run(['resolve', inHand.requestId, ...decide('rejected', '--yes')])
    t.match(early, { code: 1, errors: /a request works on it/ })
    t.match(await run(['resolve', randomUUID(), ...decide('rejected', '--yes')]), { code: 1, errors: /no row of/ })
  })

  await t.test('stats says what the gauges say', async (t) => {
    const { requestId } = await addRow(ledger, 'unknown')
    const resolved = await ledger.countResolved()
    await run(['resolve', requestId, ...decide('rejected', '--yes')])
    const { unresolved } = await ledger.stats()
    const { code, printed } = await run(['stats'])
    t.equal(code, 0)
    t.match(printed, new RegExp(`^not final, and no request works on them +${unresolved}\n`))
    t.match(printed, new RegExp(`\nrows that a person has decided +${resolved + 1}\n$`))
    const whole = { unresolved, needsAttention: 0, resolved: resolved + 1 }
    t.match(JSON.parse((await run(['stats', '--json'])).printed), whole)
  })
})
