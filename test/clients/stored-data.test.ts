/** What the ledger's files hold of a person: nothing. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import type { CreateClient } from '../../src/clients/body/schema.ts'
import { makeLedgerFile } from '../fixtures/ledgers.ts'
import { skipRedis, startRedis } from '../fixtures/redis.ts'
import { call, startTestService } from '../fixtures/service.ts'
import { replies, startStandIn } from '../fixtures/stand-in-partner.ts'
import { until } from '../fixtures/until.ts'

const pdf = Buffer.from('%PDF-1.7\nfor the ledger test\n').toString('base64')
const address = { country: 'UZB', postalCode: '100031', city: 'Chilonzor', street: 'Bunyodkor', building: 'Uy-7531' }
const body = {
  phone: '+998907654321',
  type: 'individual',
  resident: true,
  firstName: 'Alisherbek',
  lastName: 'Navoiyzoda',
  middleName: 'Giyosiddin',
  birthDate: '1991-02-13',
  email: 'alisherbek@example.com',
  country: 'UZB',
  personId: '31302911234567',
  language: 'uz',
  document: pdf,
  externalUserId: 'our-user-4711',
  registrationAddress: address,
  residentialAddress: { ...address, city: 'Yakkasaroy' },
  identification: { identifiedAt: '2025-05-06T07:08:09+05:00', identifiedBy: 'operator-0815' },
} satisfies CreateClient

/** Every text and number of the body by which somebody could be known, in each form that it has on its way. */
const traces = [
  ...[body, address, body.residentialAddress, body.identification]
    .flatMap((object) => Object.values(object as Record<string, unknown>))
    .filter((value): value is string => typeof value === 'string' && value.length > 4 && value !== 'individual'),
  body.phone.slice(1),
  'an-idempotency-key',
]

async function createAndRefuse(t: Test, ledgerUrl: string): Promise<string> {
  const partner = await startStandIn(t, {
    // One is refused, with a description that quotes everything.
    add: ({ client }) =>
      client?.external_user_id === undefined ? replies.success : replies.rejected(Object.values(client).join(' ')),
    status: ({ request_id }, { adds }) =>
      adds.find((call) => call.request_id === request_id)?.client?.external_user_id === undefined
        ? replies.created('client-1')
        : replies.noSuchRequest,
  })
  const service = await startTestService(t, {
    partnerUrl: partner.url,
    settings: { LEDGER_URL: ledgerUrl, LEDGER_KEY: 'a ledger key of thirty-two bytes.', PARTNER_TIMEOUT_MS: '20000' },
  })
  await until(
    () => call(`${service.opsUrl}/readyz`, 'GET', {}),
    ({ statusCode }) => statusCode === 200,
  )
  const { externalUserId: _, ...accepted } = body
  const key = { 'idempotency-key': 'an-idempotency-key' }
  const answer = await service.create(accepted, key)
  t.equal(answer.statusCode, 201)
  t.equal((await service.create(body)).statusCode, 422)
  return answer.body.requestId
}

function checkFiles(t: Test, folder: string, requestId: string): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const bytes = Buffer.concat(files.map(({ parentPath, name }) => readFileSync(join(parentPath, name))))
  t.ok(bytes.includes(requestId), 'these are the bytes of the ledger')
  const text = bytes.toString('latin1').toLowerCase()
  for (const trace of traces) t.notOk(text.includes(trace.toLowerCase()), trace)
}

t.test('a SQLite file holds no personal data', async (t) => {
  const path = makeLedgerFile(t)
  checkFiles(t, dirname(path), await createAndRefuse(t, `sqlite:${path}`))
})

t.test('the append-only file of Redis holds no personal data', { skip: skipRedis }, async (t) => {
  const { url, folder } = await startRedis(t)
  checkFiles(t, folder, await createAndRefuse(t, url))
})
