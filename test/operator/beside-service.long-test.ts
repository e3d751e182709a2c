/** The operators' program beside the service that it is for. */
import t from 'tap'
import { decide, forEachSharedAddress, ledgerKey, operatorOf, partnerSettings } from '../fixtures/operator.ts'
import { startReady } from '../fixtures/program.ts'
import { replies, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

t.setTimeout(300_000)

forEachSharedAddress(t, async (t, address) => {
  const partner = await startStandIn(t, { add: () => replies.process, status: () => replies.process })
  const settings = { LEDGER_URL: address, LEDGER_KEY: ledgerKey, ...partnerSettings(partner.url) }
  const { url } = await startReady(t, settings)
  const run = operatorOf(settings)
  const create = (key: string) =>
    fetch(`${url}/clients`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key, prefer: 'respond-async' },
      body: JSON.stringify({ phone: '+998901234567' }),
    })
  const first = await create('first')
  const { requestId } = (await first.json()) as { requestId: string }

  let isOver = false
  const statuses = new Set<number>()
  const working = (async () => {
    for (let i = 0; !isOver; i += 1) statuses.add((await create(`key-${i}`)).status)
  })()
  const [listed, stats] = await Promise.all([run(['list', '--json']), run(['stats'])])
  t.match([listed.code, stats.code], [0, 0])
  t.ok((JSON.parse(listed.printed) as { requestId: string }[]).some((row) => row.requestId === requestId))
  t.match(await run(['ask', requestId]), { code: 0, printed: /still works on it\nthe row: stays processing/ })
  t.match(await run(['resolve', requestId, ...decide('rejected', '--yes')]), { code: 0 })
  isOver = true
  await working
  t.strictSame([...statuses], [202], 'and the service does not notice')

  const read = await fetch(`${url}/clients/requests/${requestId}`)
  const partnerReason = { description: /^This service knows no reason of FreedomPay/ }
  const told = { status: 'rejected', partner: partnerReason }
  t.match(await read.json(), told, 'its caller is told what the person has decided')
  const again = await create('first')
  t.equal(again.status, 422)
  t.match(await again.json(), { code: 'partner-rejected', detail: /knows no reason/, partner: partnerReason })
  const asked = () => partner.questions.filter(({ request_id }) => request_id === requestId).length
  const before = asked()
  const others = partner.questions.length
  await until(() => partner.questions.length > others + 20)
  t.ok(asked() <= before + 1, 'nothing asks about it any more, but for a question that was under way')
})
