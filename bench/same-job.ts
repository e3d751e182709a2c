/** Before anything is measured: each candidate does the job it is listed with, checked at the partner's end. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createSigner, isSignedBy } from '../src/partner/signature.ts'
import { buildBody } from './bodies.ts'
import { toPartnerRequest } from './candidates/to-partner-request.ts'
import { type Candidate, credentials, productId, type StartedCandidate, startCandidate } from './candidates.ts'
import type { CapturedCall } from './stand-in.ts'
import type { StandIn } from './stand-in-process.ts'

const sign = createSigner('jws', () => credentials)
const refusedBodies = [
  { phone: '+998901234567', unknownMember: 1 },
  { phone: '998901234567' },
  { phone: '+998901234567', document: 'bm90IGEgUERG' },
]

export async function verifySameJob(candidate: Candidate, standIn: StandIn): Promise<void> {
  const started = await startCandidate(candidate, standIn.url)
  try {
    for (const name of ['typical', 'document-2m'] as const) await verifyCreate(candidate, started, standIn, name)
    const { ledgerFile } = started
    if (ledgerFile !== undefined) assert.ok(existsSync(ledgerFile), `${candidate.name} keeps no ledger file`)
    if (candidate.validates) {
      for (const body of refusedBodies) {
        const response = await post(started, body, undefined)
        assert.equal(response.status, 400, `${candidate.name} took what breaks the contract: ${JSON.stringify(body)}`)
      }
    }
  } finally {
    await started.stop()
  }
}

async function verifyCreate(
  candidate: Candidate,
  started: StartedCandidate,
  standIn: StandIn,
  name: 'typical' | 'document-2m',
): Promise<void> {
  const body = buildBody(name)
  const calls = await standIn.capture(async () => {
    const response = await post(started, body, candidate.keyed ? `verify-${name}` : undefined)
    const answer = (await response.json()) as Record<string, unknown>
    assert.ok(response.ok, `${candidate.name} answered ${response.status} ${JSON.stringify(answer)}`)
    if (candidate.doesTheJob) {
      assert.equal(response.status, 201, candidate.name)
      assert.equal(answer.status, 'created', candidate.name)
      assert.equal(answer.clientId, '1234567', candidate.name)
    }
    if (candidate.keyed)
      assert.equal(response.headers.get('idempotency-status'), 'new', `${candidate.name} sees no key`)
  })

  for (const call of calls) {
    assert.ok(isSignedBy(sign, call.path, Buffer.from(call.body), call.headers), `${candidate.name} signs otherwise`)
  }
  if (candidate.doesTheJob) verifyCalls(candidate, calls, body)
}

function verifyCalls(candidate: Candidate, calls: CapturedCall[], body: ReturnType<typeof buildBody>): void {
  assert.deepEqual(
    calls.map((call) => call.path),
    ['/v5/card-api/client/add', '/v5/card-api/request/status'],
    candidate.name,
  )
  const [added, asked] = calls.map((call) => JSON.parse(call.body) as { request_id: string })
  const requestId = added?.request_id ?? ''
  // Through JSON, as what is undefined is not sent.
  const expected = JSON.parse(JSON.stringify(toPartnerRequest(body, requestId, productId)))
  assert.deepEqual(added, expected, candidate.name)
  assert.deepEqual(asked, { request_id: requestId }, candidate.name)
}

function post({ url, authorization }: StartedCandidate, body: unknown, key: string | undefined): Promise<Response> {
  return fetch(`${url}/clients`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key && { 'idempotency-key': key }),
      ...(authorization && { authorization }),
    },
    body: JSON.stringify(body),
  })
}
