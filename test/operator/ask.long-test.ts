/** A question to FreedomPay by hand. */
import t from 'tap'
import { addRow, decide, forEachSharedEngine, partnerSettings } from '../fixtures/operator.ts'
import { replies, startStandIn } from '../fixtures/stand-in-partner.ts'

// Each command is a process of its own, which takes its time where others are busy, too.
t.setTimeout(300_000)

forEachSharedEngine(t, async (t, { ledger, run }) => {
  await t.test('ask asks once, records the answer, and tells it', async (t) => {
    const answers = new Map<string, (typeof replies)['success'] | object | number>()
    const partner = await startStandIn(t, { status: ({ request_id }) => answers.get(request_id) ?? 500 })
    const env = partnerSettings(partner.url)
    const ask = async (requestId: string, answer: object | number) => {
      answers.set(requestId, answer)
      return run(['ask', requestId], { env })
    }
    const { requestId } = await addRow(ledger, 'unknown')
    t.match(await ask(requestId, 500), {
      code: 69,
      printed: 'FreedomPay: no answer that can be read (500)\nthe row: stays unknown\n',
    })
    const working = { code: 0, printed: 'FreedomPay: still works on it\nthe row: was unknown and is processing\n' }
    t.match(await ask(requestId, replies.process), working)
    const done = { code: 0, printed: 'FreedomPay: created, client c-1\nthe row: was processing and is created\n' }
    const created = await ask(requestId, replies.created('c-1'))
    t.match(created, done)
    t.match(JSON.parse(created.errors), { level: 'info', msg: 'ask learned the outcome', requestId, state: 'created' })
    t.match(await ledger.find(requestId), { state: 'created', clientId: 'c-1' })
    t.equal(partner.questions.length, 3)
    t.equal(partner.adds.length, 0, 'nothing is ever sent')

    const duplicate = await addRow(ledger, 'unknown')
    t.match(await ask(duplicate.requestId, replies.duplicate), {
      code: 0,
      printed: /not unique.*\nthe row: stays unknown/,
    })
    t.match(await ledger.find(duplicate.requestId), { isAcknowledged: true })
    const doubtful = await addRow(ledger, 'unknown')
    const told = await ask(doubtful.requestId, replies.rejected('Alisher Navoiy is too young'))
    t.match(told, { code: 0, printed: /error, code 1001 \(perhaps about the question only/ })
    t.notMatch(told.printed + told.errors, /Alisher/)
    t.match(await ledger.find(doubtful.requestId), { state: 'unknown', doubts: 1 })
  })

  await t.test('a correction of what was concluded is logged as the service logs it', async (t) => {
    const partner = await startStandIn(t, { status: () => replies.created('c-3') })
    const { requestId, claimToken } = await addRow(ledger, 'unknown')
    await ledger.record(requestId, claimToken, { state: 'not-created', isInferred: true })
    const asked = await run(['ask', requestId], { env: partnerSettings(partner.url) })
    t.match(asked, { code: 0, printed: 'FreedomPay: created, client c-3\nthe row: was not-created and is created\n' })
    const line = { level: 'warn', msg: 'an outcome was corrected', requestId, from: 'not-created', state: 'created' }
    t.match(JSON.parse(asked.errors), line)
    t.equal((await run(['ask', requestId], { env: partnerSettings(partner.url) })).errors, '', 'once')
  })

  await t.test('FreedomPay’s word, when it comes, corrects a person’s', async (t) => {
    const error = { status: 'ok', request_status: 'error', error_code: '1001' }
    const partner = await startStandIn(t, { status: () => error })
    const { requestId } = await addRow(ledger, 'unknown')
    await run(['resolve', requestId, ...decide('created', '--client-id', 'c-2', '--yes')])
    const asked = await run(['ask', requestId], { env: partnerSettings(partner.url) })
    t.match(asked, { code: 0, printed: 'FreedomPay: error, code 1001\nthe row: was created and is rejected\n' })
    t.match((await run(['show', requestId])).printed, /resolved +by ann at \S+; the row has changed since\n/)
  })

  await t.test('a ledger of another account is refused, and an unreachable partner is reported', async (t) => {
    const { requestId } = await addRow(ledger, 'unknown')
    const env = partnerSettings('http://127.0.0.1:1')
    const asked = await run(['ask', requestId], { env })
    t.match(asked, { code: 69, printed: 'FreedomPay: cannot be reached (refused)\nthe row: stays unknown\n' })
    t.match(await run(['list'], { env: { LEDGER_ACCOUNT: 'other' } }), {
      code: 78,
      errors: /another FreedomPay account/,
    })
    t.match(await run(['ask', requestId]), { code: 78, errors: /No FreedomPay credentials/ })
  })
})
