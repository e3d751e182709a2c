/**
 * One PostgreSQL statement for each step, prepared by name on each connection. `now()` is the time at which the server got the
 * statement: a wait for a lock does not move the deadline of a claim.
 *
 * A list of ids goes through `ANY(ARRAY(…))`: the planner then always uses the primary key, also for a large limit.
 */

export interface Statement {
  readonly name: string
  readonly text: string
}

/** The number of rows that one statement deletes. Small, so that no write waits long. */
export const forgottenAtOnce = 1000

export const toMs = (from: string) => `(extract(epoch FROM ${from}) * 1000)::float8`
const interval = (parameter: string) => `${parameter}::float8 * interval '1 millisecond'`
/** Whole milliseconds, because callers see this time. */
const thisMs = `date_trunc('milliseconds', now())`

export const rowColumns = `request_id, key_id, caller, fingerprint, state, client_id, partner_code, partner_description, claim_token, claims,
  may_have_arrived, is_acknowledged, is_inferred, doubts, asks, ${toMs('updated_at')} AS updated_ms,
  ${toMs('now() - updated_at')} AS since_update_ms, ${toMs('now() - deadline_at')} AS since_last_send_ms, coalesce(${toMs('now() - doubted_at')}, 0) AS doubted_for_ms`

const unresolved = `FROM ledger_request WHERE state IN ('sent', 'unknown', 'processing') AND deadline_at <=`
const firstDue = (asks: string) =>
  `(SELECT next_ask_at FROM ledger_request WHERE next_ask_at IS NOT NULL AND ${asks} AND next_ask_at <= now()
    ORDER BY next_ask_at LIMIT 1)`
const due = (asks: string, limit: string) =>
  `SELECT request_id FROM ledger_request WHERE next_ask_at IS NOT NULL AND ${asks} AND next_ask_at <= now()
    ORDER BY next_ask_at LIMIT ${limit} FOR UPDATE SKIP LOCKED`
const forget = (condition: string) => `
DELETE FROM ledger_request WHERE request_id = ANY(ARRAY(
  SELECT request_id FROM ledger_request WHERE ${condition} AND updated_at < now() - ${interval('$1')}
  LIMIT ${forgottenAtOnce} FOR UPDATE SKIP LOCKED))`

/** The values of a change: parameters or columns. */
interface ForwardValues {
  readonly isOwn: string
  readonly token: string
  readonly predecessors: string
  readonly givesId: string
  readonly correctsRejection: string
  readonly correctsCreation: string
}

/** The rule `isForward`. */
const isForward = (row: string, to: ForwardValues) => `(NOT ${to.isOwn} OR ${row}.claim_token = ${to.token})
  AND (${row}.state = ANY(${to.predecessors})
    OR (${row}.state = 'created' AND (${row}.client_id IS NULL OR ${row}.is_inferred) AND ${to.givesId})
    OR (${row}.state = 'created' AND ${row}.is_inferred AND ${to.correctsCreation})
    OR (${row}.state = 'rejected' AND ${row}.is_inferred AND ${to.correctsRejection}))`

/** The new values of the row `request`. */
const changed = (
  to: Record<'state' | 'clientId' | 'code' | 'description' | 'isInferred' | 'isAcknowledged' | 'askMs', string>,
) =>
  `state = ${to.state}, client_id = ${to.clientId}, partner_code = ${to.code}, partner_description = ${to.description},
  is_inferred = ${to.isInferred}, is_acknowledged = request.is_acknowledged OR ${to.isAcknowledged}, doubts = 0,
  doubted_at = NULL, asks = 0, updated_at = ${thisMs}, deadline_at = least(request.deadline_at, now()),
  next_ask_at = now() + ${interval(to.askMs)}`

export const statements = {
  /** request_id, key_id, caller, fingerprint, claim_token, ms until the deadline, ms until the first question. */
  claim: {
    name: 'ledger-claim',
    text: `
INSERT INTO ledger_request (request_id, key_id, caller, fingerprint, state, claim_token, claims, updated_at, deadline_at,
  next_ask_at)
VALUES ($1, $2, $3, $4, 'sent', $5, 1, ${thisMs}, now() + ${interval('$6')}, now() + ${interval('$7')})
ON CONFLICT DO NOTHING RETURNING ${toMs('updated_at')} AS updated_ms`,
  },
  /** `claim` for a group: each parameter is a list. */
  claimGroup: {
    name: 'ledger-claim-group',
    text: `
INSERT INTO ledger_request (request_id, key_id, caller, fingerprint, state, claim_token, claims, updated_at, deadline_at,
  next_ask_at)
SELECT request_id, key_id, caller, fingerprint, 'sent', claim_token, 1, ${thisMs}, now() + ${interval('deadline_ms')},
  now() + ${interval('ask_ms')}
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[])
  AS new (request_id, key_id, caller, fingerprint, claim_token, deadline_ms, ask_ms)
ON CONFLICT DO NOTHING RETURNING request_id, ${toMs('updated_at')} AS updated_ms`,
  },
  find: { name: 'ledger-find', text: `SELECT ${rowColumns} FROM ledger_request WHERE request_id = $1` },
  findByKey: { name: 'ledger-find-by-key', text: `SELECT ${rowColumns} FROM ledger_request WHERE key_id = $1` },
  /**
   * request_id, the token before, the token from now on, ms until the deadline, ms until the first question, may have arrived.
   */
  renew: {
    name: 'ledger-renew',
    text: `
UPDATE ledger_request SET state = 'sent', claim_token = $3, claims = claims + 1, client_id = NULL, partner_code = NULL,
  partner_description = NULL, may_have_arrived = may_have_arrived OR $6, is_inferred = false, doubts = 0,
  doubted_at = NULL, asks = 0, updated_at = ${thisMs}, deadline_at = now() + ${interval('$4')},
  next_ask_at = now() + ${interval('$5')}
WHERE request_id = $1 AND claim_token = $2 AND state IN ('sent', 'unknown', 'not-created')
RETURNING ${rowColumns}`,
  },
  /**
   * The inner SELECT locks the row, so that `was` is the state that the UPDATE replaces.
   * request_id, token, state, client_id, code, description, inferred, acknowledged, ms until the first question or null,
   * own conclusion, states before (joined by commas), whether it gives a created client its id, whether it corrects an inferred
   * rejection, whether it corrects an inferred creation.
   */
  record: {
    name: 'ledger-record',
    text: `
UPDATE ledger_request AS request SET ${changed({ state: '$3', clientId: '$4', code: '$5', description: '$6', isInferred: '$7', isAcknowledged: '$8', askMs: '$9' })}
FROM (SELECT request_id, state FROM ledger_request WHERE request_id = $1 FOR UPDATE) AS before
WHERE request.request_id = $1 AND before.request_id = request.request_id
  AND ${isForward('request', {
    isOwn: '$10::boolean',
    token: '$2',
    predecessors: `string_to_array($11, ',')`,
    givesId: '$12::boolean',
    correctsRejection: '$13::boolean',
    correctsCreation: '$14::boolean',
  })}
RETURNING before.state AS was, ${toMs('request.updated_at')} AS updated_ms`,
  },
  /**
   * `record` for a group: each parameter is a list. A row that
   * another transaction has locked is left out, so that the group waits for no row. The LIMIT drops no row. Because of the LIMIT
   * the planner expects one row, and uses the primary key also while the table has no statistics.
   */
  recordGroup: {
    name: 'ledger-record-group',
    text: `
WITH change AS MATERIALIZED (
  SELECT new.*, old.state AS was
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::boolean[],
      $9::float8[], $10::boolean[], $11::text[], $12::boolean[], $13::boolean[], $14::boolean[])
    AS new (id, token, state, client_id, partner_code, partner_description, is_inferred, is_acknowledged, ask_ms, is_own,
      states_before, gives_id, corrects_rejection, corrects_creation)
  CROSS JOIN LATERAL (SELECT state, client_id, claim_token, is_inferred FROM ledger_request WHERE request_id = new.id
    FOR UPDATE SKIP LOCKED) AS old
  WHERE ${isForward('old', {
    isOwn: 'new.is_own',
    token: 'new.token',
    predecessors: `string_to_array(new.states_before, ',')`,
    givesId: 'new.gives_id',
    correctsRejection: 'new.corrects_rejection',
    correctsCreation: 'new.corrects_creation',
  })}
  LIMIT cardinality($1)
)
UPDATE ledger_request AS request SET ${changed({ state: 'change.state', clientId: 'change.client_id', code: 'change.partner_code', description: 'change.partner_description', isInferred: 'change.is_inferred', isAcknowledged: 'change.is_acknowledged', askMs: 'change.ask_ms' })}
FROM change WHERE request.request_id = change.id
RETURNING request.request_id, change.was, ${toMs('request.updated_at')} AS updated_ms`,
  },
  /** ms of the lease, limit. */
  takeDue: {
    name: 'ledger-take-due',
    text: `
WITH first AS MATERIALIZED (${due('asks = 0', '$2::bigint')}),
  again AS MATERIALIZED (${due('asks <> 0', '$2::bigint - (SELECT count(*) FROM first)')})
UPDATE ledger_request SET asks = asks + 1, next_ask_at = now() + ${interval('$1')}
WHERE request_id = ANY(ARRAY(SELECT request_id FROM first UNION ALL SELECT request_id FROM again))
RETURNING ${rowColumns}`,
  },
  /** request_id, token, ms until the next question or null, asks, doubts, acknowledged, the asks that it was taken with. */
  postpone: {
    name: 'ledger-postpone',
    text: `
UPDATE ledger_request SET next_ask_at = now() + ${interval('$3')}, asks = $4, doubts = $5::integer,
  doubted_at = CASE WHEN $5::integer = 0 THEN NULL ELSE coalesce(doubted_at, now()) END,
  is_acknowledged = is_acknowledged OR $6
WHERE request_id = $1 AND claim_token = $2 AND asks = $7 AND next_ask_at IS NOT NULL`,
  },
  // Two statements, because each uses its own index.
  forget: { name: 'ledger-forget', text: forget('next_ask_at IS NULL') },
  forgetWithoutId: { name: 'ledger-forget-without-id', text: forget(`next_ask_at IS NOT NULL AND state = 'created'`) },
  /** ms after which a row needs an operator. */
  stats: {
    name: 'ledger-stats',
    text: `
SELECT (SELECT count(*) ${unresolved} now())::float8 AS unresolved,
  (SELECT count(*) ${unresolved} now() - ${interval('$1')})::float8 AS needs_attention,
  coalesce((SELECT ${toMs('now() - deadline_at')} ${unresolved} now() ORDER BY deadline_at LIMIT 1), 0) AS oldest_ms,
  coalesce(${toMs(`now() - least(${firstDue('asks = 0')}, ${firstDue('asks <> 0')})`)}, 0) AS due_ms`,
  },
  /** The account, and an id in case the ledger has none. */
  adopt: {
    name: 'ledger-adopt',
    text: `
INSERT INTO ledger_fact VALUES ('account', $1), ('id', $2) ON CONFLICT (name) DO UPDATE SET value = ledger_fact.value
RETURNING name, value`,
  },
  /** Inserts a claim and rolls back. On a full disk an update of `ledger_fact` may still succeed where a claim would fail. */
  probe: {
    name: 'ledger-probe',
    text: `
DO $$ BEGIN
  BEGIN
    INSERT INTO ledger_request (request_id, key_id, caller, fingerprint, state, claim_token, claims, updated_at, deadline_at)
    SELECT id, id, id, id, 'sent', id, 1, now(), now() FROM md5('probe' || random()) AS id;
    RAISE SQLSTATE 'PROBE';
  EXCEPTION WHEN SQLSTATE 'PROBE' THEN NULL;
  END;
  INSERT INTO ledger_fact VALUES ('probed-at', now()::text) ON CONFLICT (name) DO UPDATE SET value = excluded.value;
END $$`,
  },
} as const satisfies Record<string, Statement>
