/** The work of the holder of a claim: deliver the create, tell the ledger the news meanwhile, record the outcome. */
import type { Ledger, RecordResult, Row } from '../../ledger/ledger.ts'
import { graceMs } from '../../ledger/rules.ts'
import { type EncodedRequest, encodeRequest } from '../../partner/encode.ts'
import type { Settlement } from '../answer.ts'
import { conclude } from './conclude.ts'
import type { CreateClientParts } from './create-client.ts'
import { forgetDocument } from './create-command.ts'
import type { DeliveryContext } from './deliver.ts'
import { toKnowledge } from './find-out.ts'
import { toAddClientRequest } from './mapping.ts'
import type { Job } from './work.ts'

/** `send`: the claim is new, so the create is sent. `pursue`: an earlier holder may have sent the create, so FreedomPay is asked. */
export async function carryOut(
  parts: CreateClientParts,
  { command, seat, work }: Job,
  row: Row,
  how: 'send' | 'pursue',
): Promise<Settlement> {
  const { ledger, claims, delivery, settings, driftBook } = parts
  const { body, log, arrivedAt, wait = settings.waitMs } = command
  const { requestId } = row
  const deadlineAt = arrivedAt + settings.deadlineMs
  const waitUntil = wait === 'until-accepted' ? arrivedAt : arrivedAt + wait
  const drifts = driftBook.open(requestId)
  let held = row
  const status = how === 'send' ? 'new' : 'replayed'
  work.update({ row, how: status })
  const context: DeliveryContext = {
    deadlineAt,
    waitUntil,
    log,
    drifts,
    mayHaveArrived: row.mayHaveArrived,
    startWaiting(known) {
      // A created client lacks only its id. A full bulkhead must not make the answer leave the id out.
      if (!seat.wait() && known !== 'created') return false
      void noteNews(ledger, held, known, known === 'processing' ? waitUntil : deadlineAt).then((state) => {
        if (state !== undefined) work.update({ row: { ...held, state }, how: status })
        work.acceptance.reach()
      })
      return true
    },
    async renew(mayHaveArrived) {
      const renewed = await claims.renew(held, deadlineAt, mayHaveArrived).catch(() => undefined)
      if (renewed !== undefined) held = renewed
      return renewed !== undefined
    },
  }
  function encode(): EncodedRequest {
    const request = encodeRequest(toAddClientRequest(body, requestId, settings.defaults))
    // `request` holds the document now; a second copy would only use memory.
    forgetDocument(body)
    return request
  }
  // Nothing is sent again, so the document is not needed any more.
  if (how === 'pursue' && !settings.mayResend) forgetDocument(body)
  try {
    const delivered =
      how === 'send'
        ? await delivery.send(encode(), context)
        : await delivery.pursue(encode, requestId, toKnowledge(withoutDoubts(row), performance.now()), context)
    // If `pursue` has renewed the claim, `pursue` has sent the create.
    const endStatus = held === row ? status : 'new'
    const isFirstClaim = how === 'send' && row.claims === 1
    return await conclude(parts, { row: held, isFirstClaim, how: endStatus, deadlineAt }, delivered, command)
  } finally {
    driftBook.close(requestId, drifts, log)
  }
}

/**
 * The reconciler may hear an answer that ends its doubts while this create asks. So a create believes only the doubtful errors that it
 * has heard itself.
 */
function withoutDoubts(row: Row): Row {
  return { ...row, doubts: 0 }
}

/**
 * FreedomPay has acknowledged the create. The row records the acknowledgement while the caller still waits: other replicas
 * then give the same answer, and after a crash "no such request" is not believed. The reconciler starts after the wait. A created
 * client is recorded only if the question for its id is slow: before, nothing waits. Returns the state that the row has now.
 */
async function noteNews(
  ledger: Ledger,
  { requestId, claimToken, asks }: Row,
  state: 'processing' | 'created',
  waitUntil: number,
): Promise<Row['state'] | undefined> {
  const pauseMs = Math.round(Math.max(0, waitUntil - performance.now()) + graceMs)
  let recorded: RecordResult | undefined
  try {
    recorded = await ledger.record(requestId, claimToken, { state })
    await ledger.postpone({ requestId, claimToken, pauseMs, takenAsks: asks, asks, doubts: 0, isAcknowledged: true })
  } catch {
    // The outcome writes the same facts later.
  }
  return recorded?.row.state
}
