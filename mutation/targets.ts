/** What each engine must keep. */
const ledgerContract = [
  'test/ledger/contract/claim.test.ts',
  ...['record', 'due', 'stats', 'order-of-events', 'account', 'inspection'].map(
    (name) => `test/ledger/contract/${name}.long-test.ts`,
  ),
]

/** Source file → the test files that must find every fault in it, quickest first. */
export const targets: Readonly<Record<string, readonly string[]>> = {
  'src/partner/outcome.ts': ['test/partner/outcome.test.ts'],
  'src/clients/create/judge.ts': ['test/clients/create/judge.test.ts'],
  'src/clients/create/poll-status.ts': ['test/clients/create/poll-status.test.ts'],
  'src/partner/retry.ts': ['test/partner/retry.test.ts'],
  'src/partner/bulkhead.ts': ['test/partner/bulkhead.test.ts'],
  'src/clients/create/mask-reason.ts': ['test/clients/create/mask-reason.test.ts'],
  'src/clients/create/idempotency-key.ts': ['test/clients/create/idempotency-key.test.ts'],
  'src/clients/create/mapping.ts': ['test/clients/create/mapping.test.ts'],
  'src/clients/create/prefer-header.ts': ['test/clients/create/prefer-header.test.ts'],
  'src/clients/create/find-out.ts': ['test/clients/create/find-out.test.ts'],
  'src/clients/create/conclude.ts': [
    'test/clients/create/find-out.test.ts',
    'test/clients/create/create-client.test.ts',
  ],
  'src/clients/answer.ts': ['test/clients/answer.test.ts'],
  'src/partner/resilience.ts': ['test/partner/resilience.test.ts'],
  'src/clients/create/deliver.ts': ['test/clients/create/deliver.test.ts'],
  'src/partner/signature.ts': ['test/partner/signature.test.ts'],
  'src/partner/exchange.ts': ['test/partner/exchange.test.ts'],
  'src/partner/encode.ts': ['test/partner/encode.test.ts'],
  'src/partner/drifts.ts': ['test/partner/drifts.test.ts'],
  'src/partner/card-api.ts': ['test/partner/card-api.test.ts'],
  'src/clients/create/claims.ts': [
    'test/clients/create/create-client.test.ts',
    'test/clients/create/unused-claims.test.ts',
  ],
  'src/clients/create/unused-claims.ts': ['test/clients/create/unused-claims.test.ts'],
  'src/clients/body/formats.ts': ['test/clients/body/formats.test.ts', 'test/clients/body/validation.test.ts'],
  'src/clients/body/pdf-document.ts': ['test/clients/body/pdf-document.test.ts'],
  'src/clients/body/requirements.ts': ['test/clients/body/requirements.test.ts'],
  'src/schemas/input-errors.ts': ['test/schemas/input-errors.test.ts', 'test/clients/body/validation.test.ts'],
  'src/clients/body/validation.ts': ['test/clients/body/validation.test.ts'],
  'src/clients/create/create-client.ts': ['test/clients/create/create-client.test.ts'],
  'src/clients/create/work.ts': ['test/clients/create/work.test.ts', 'test/clients/create/create-client.test.ts'],
  'src/clients/create/settle.ts': ['test/clients/create/create-client.test.ts'],
  'src/clients/create/carry-out.ts': ['test/clients/create/create-client.test.ts'],
  'src/ledger/rules.ts': ['test/ledger/rules.test.ts'],
  'src/ledger/memory.ts': ledgerContract,
  'src/ledger/memory-rows.ts': ledgerContract,
  'src/ledger/due-queue.ts': ['test/ledger/due-queue.test.ts'],
  'src/ledger/open-rows.ts': ['test/ledger/open-rows.test.ts'],
  'src/ledger/sqlite.ts': ['test/ledger/sqlite.test.ts', ...ledgerContract],
  'src/ledger/reconciler.ts': ['test/ledger/reconciler.test.ts'],
  'src/ledger/question-pauses.ts': ['test/ledger/reconciler.test.ts'],
  'src/problems/problem.ts': ['test/problems/problem.test.ts', 'test/openapi.long-test.ts'],
  'src/problems/translate.ts': ['test/problems/translate.test.ts'],
  'src/auth/api-key.ts': ['test/auth/api-key.test.ts'],
  'src/partner/fair-share.ts': ['test/partner/fair-share.test.ts', 'test/partner/bulkhead.test.ts'],
  'src/auth/jwt.ts': ['test/auth/jwt-rules.test.ts'],
  'src/auth/bearer-token.ts': ['test/auth/bearer-token.test.ts'],
  'src/auth/caller.ts': ['test/auth/caller.test.ts'],
  'src/auth/open.ts': ['test/auth/open.test.ts'],
  'src/auth/make-api-key.ts': ['test/auth/make-api-key.long-test.ts'],
  'src/auth/key-set.ts': ['test/auth/key-set.test.ts'],
  'src/auth/verified-tokens.ts': ['test/auth/verified-tokens.test.ts'],
  'src/auth/fetch-jwks.ts': ['test/auth/fetch-jwks.long-test.ts'],
  'src/auth/watch-secret.ts': ['test/auth/watch-secret.test.ts'],
}

/** Run by their tests as programs of their own, in which the runner does not see what a test reaches. */
export const programs: ReadonlySet<string> = new Set(['src/auth/make-api-key.ts'])

/** The one engine of the ledger that the tests of a file run; a file that is not here has them run every engine. */
export const engineOf: Readonly<Record<string, string>> = {
  'src/ledger/memory.ts': 'in memory',
  'src/ledger/memory-rows.ts': 'in memory',
  'src/ledger/sqlite.ts': 'SQLite file',
}

/** After how many milliseconds a test of a file never ends, where most changes leave a call without an end. */
export const testLimitMs: Readonly<Record<string, number>> = {
  'src/partner/exchange.ts': 5000,
  'src/partner/card-api.ts': 5000,
}
