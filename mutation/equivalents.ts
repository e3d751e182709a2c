/** Survivors that mean the same as the source, with the reason: file → change → why no test can tell them apart. */
const sameType = 'only the types need it: the value is always there'

export const equivalents: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'src/partner/retry.ts': {
    'ConditionalExpression: default: → default:': 'the function returns `undefined` without it, too',
    'ConditionalExpression: value === undefined → false': 'the text "undefined" is neither seconds nor a date',
    "MethodExpression: value.endsWith(' GMT') → value.startsWith(' GMT')": 'V8 reads "GMT GMT" as "GMT"',
  },
  'src/partner/outcome.ts': {
    'BlockStatement: { → {} in } catch {': '`undefined` is as false as `false`',
    "StringLiteral: '' → \"Stryker was here!\" in const code = partner.code ?? ''":
      'neither text is a code of the settings',
    "StringLiteral: '' → \"Stryker was here!\" in const text = String(code ?? '')":
      'neither text has the form of a code',
  },
  'src/partner/bulkhead.ts': {
    'ConditionalExpression: held !== undefined → true': 'only the types need it: no seat is counted under undefined',
    "StringLiteral: '' → \"Stryker was here!\" in wait: () => (taken.waiting < waiting ? seat('', 'waiting') : undefined),":
      'a seat that only waits has no share',
  },
  'src/partner/exchange.ts': {
    'ConditionalExpression: first !== undefined && chunks.length === 1 → false':
      'one chunk joined with nothing is the same bytes; the source saves the copy',
    'ConditionalExpression: first !== undefined → true': 'only the types need it: one chunk is the first chunk',
    'EqualityOperator: first !== undefined → first === undefined': 'the chunk is then copied: the same bytes',
    'ConditionalExpression: this.settled → false': 'a promise is resolved once, whatever resolves it again',
  },
  'src/partner/encode.ts': {
    'ConditionalExpression: document !== undefined && document.length >= largeBodyBytes → false':
      'both ways give the same bytes; one is quicker for large documents',
    'ConditionalExpression: document.length >= largeBodyBytes → true': 'the same',
    'EqualityOperator: document.length >= largeBodyBytes → document.length > largeBodyBytes': 'the same',
    'EqualityOperator: document.length >= largeBodyBytes → document.length < largeBodyBytes': 'the same',
    'StringLiteral: \'latin1\' → ""': 'Base64 and UUIDs are ASCII: the same bytes in UTF-8',
  },
  'src/clients/create/carry-out.ts': {
    "ConditionalExpression: how === 'send' → true": 'nothing that `pursue` finds reads `isFirstClaim`',
  },
  'src/clients/create/work.ts': {
    'ConditionalExpression: waitMs !== undefined → true': 'only the types need it: undefined is not over 0',
  },
  'src/clients/create/idempotency-key.ts': {
    'OptionalChaining: quotedString.exec(line)?.[1]?.replace → quotedString.exec(line)?.[1].replace': sameType,
    'EqualityOperator: a < b → a <= b in return Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))':
      'the names of the members of one object differ',
  },
  'src/clients/create/prefer-header.ts': {
    "StringLiteral: '' → \"Stryker was here!\" in const [withoutParameters = ''] = preference.split(';')": sameType,
    "StringLiteral: '' → \"Stryker was here!\" in const [token = '', ...value] = withoutParameters.split('=')":
      sameType,
    "StringLiteral: '' → \"Stryker was here!\" in function parseSeconds(value = ''): number | undefined {":
      'neither text is a number',
  },
  'src/clients/body/formats.ts': {
    'ArithmeticOperator: readTwo(text, 0) * 100 + readTwo(text, 2) → readTwo(text, 0) * 100 - readTwo(text, 2)':
      'the year is only divided by 4, 100 and 400: the sign of its last two digits does not matter',
    'ConditionalExpression: day !== today.day → true': 'the date is only remembered to save time',
    'MethodExpression: new Date(day * dayMs).toISOString().slice(0, 10) → new Date(day * dayMs).toISOString()':
      'as text, a date is before the same date with a time',
    'ArithmeticOperator: 24 * 60 * 60 * 1000 → 24 * 60 * 60 / 1000':
      'a shorter span is remembered; the date is the same',
    'ArithmeticOperator: 24 * 60 * 60 → 24 * 60 / 60': 'the same',
    'ArithmeticOperator: 24 * 60 → 24 / 60 in const dayMs = 24 * 60 * 60 * 1000': 'the same',
    'MethodExpression: iso6391.getAllCodes().sort() → iso6391.getAllCodes()': 'the package has them in order today',
    "ObjectLiteral: { day: 0, date: '' } → {}": 'the first look replaces it',
    "StringLiteral: '' → \"Stryker was here!\" in let today = { day: 0, date: '' }": 'the first look replaces it',
  },
  'src/clients/body/pdf-document.ts': {
    'BlockStatement: { → {} in } catch {': 'an empty `catch` returns `undefined`, too',
    'ArithmeticOperator: base64.length / 4 → base64.length * 4': 'wipes more than was written',
  },
  'src/schemas/input-errors.ts': {
    'ConditionalExpression: member !== undefined → true': sameType,
    'ConditionalExpression: names.length <= maxMembers → false': 'a copy of a small body has the same faults',
    'EqualityOperator: names.length <= maxMembers → names.length < maxMembers': 'the same',
    'MethodExpression: names.filter((name) => !Object.hasOwn(properties, name)) → names':
      'a known member that is listed twice is copied twice',
    "OptionalChaining: (schema as Refined)['~refine']?.[0]?.error → (schema as Refined)['~refine']?.[0].error":
      sameType,
  },
  'src/auth/jwt.ts': {
    "StringLiteral: '' → \"Stryker was here!\" in const claim = error instanceof errors.JWTClaimValidationFailed ? error.claim : ''":
      'neither is a claim with a reason of its own',
  },
  'src/partner/fair-share.ts': {
    'ConditionalExpression: own === 1 → false':
      'a caller with no place is as one that is not there; the map would only grow',
  },
  'src/auth/bearer-token.ts': {
    "ConditionalExpression: name.length === 'authorization'.length → true":
      'spares the names of the other headers their lower case',
  },
  'src/auth/key-set.ts': {
    'ConditionalExpression: find === undefined → false': sameType,
    'OptionalChaining: failure?.cause → failure.cause': sameType,
  },
  'src/problems/translate.ts': {
    'ConditionalExpression: statusCode !== undefined → true': 'undefined is not at least 400, either',
  },
  'src/partner/signature.ts': {
    'EqualityOperator: start < body.length → start <= body.length': 'an empty piece more adds nothing to a signature',
    'ConditionalExpression: scheme.signShort !== undefined && body.length <= pieceBytes → false':
      'both ways give the same signature; one is quicker for short bodies',
    'ConditionalExpression: body.length <= pieceBytes → true': 'the same',
    'EqualityOperator: body.length <= pieceBytes → body.length < pieceBytes': 'the same',
    'EqualityOperator: body.length <= pieceBytes → body.length > pieceBytes': 'the same',
    "StringLiteral: 'utf8' → \"\" in const key = createSecretKey(secretKey, 'utf8')":
      'UTF-8 is what Node takes by itself',
    'ConditionalExpression: found === undefined → true': 'what is prepared is only kept to save time',
    'CallExpression: prepared.set(path, found) → ;': 'the same',
    'StringLiteral: \'latin1\' → ""': 'Base64 is ASCII: the same bytes in UTF-8',
  },
  'src/ledger/due-queue.ts': {
    'EqualityOperator: this.time(parent) <= this.time(index) → this.time(parent) < this.time(index)':
      'which of two entries with the same time comes first is not promised',
    'EqualityOperator: this.time(left + 1) < this.time(left) → this.time(left + 1) <= this.time(left)': 'the same',
    'EqualityOperator: this.time(least) >= this.time(index) → this.time(least) > this.time(index)': 'the same',
    'ConditionalExpression: last === undefined → false': 'only the types need it: no last entry means no entries',
  },
  'src/ledger/memory.ts': {
    'ConditionalExpression: keyId === undefined → false': 'only the types need it: no row is found under undefined',
  },
  'src/ledger/memory-rows.ts': {
    'ConditionalExpression: requestId === undefined → false': 'only the types need it: no row is found under undefined',
    'ConditionalExpression: keyId !== undefined → true':
      'nobody looks for the key undefined, and its deletion deletes nothing',
    'ConditionalExpression: known?.nextAskAt !== nextAskAt → true':
      'the first of two equal entries that is taken outdates the other',
    'ConditionalExpression: known === undefined || isFinal(known.state) || known.lastSendAt !== lastSendAt → true':
      'the next count moves the row back to its age group',
    'CallExpression: this.open.count(now()) → ;': 'only frees memory',
    'ConditionalExpression: keyId !== undefined → false': 'only frees memory: the key leads to no row',
    'EqualityOperator: keyId !== undefined → keyId === undefined': 'the same',
    'CallExpression: this.requestIds.delete(keyId) → ;': 'the same',
    'CallExpression: this.open.delete(requestId) → ;': 'a row that is forgotten is final, and none of the open ones',
  },
  'src/ledger/sqlite.ts': {
    'ConditionalExpression: statements.firstDue.get(Date.now()) === undefined → false':
      'only spares a commit: without a due row the statements take none',
    'ConditionalExpression: keyId === undefined → false': 'no row is found under NULL',
    'ConditionalExpression: pauseMs === undefined → false': 'SQLite keeps NaN as NULL',
    'ConditionalExpression: first.length < limit → true': 'none more are taken with a limit of 0',
    'EqualityOperator: first.length < limit → first.length <= limit': 'the same',
  },
  'src/clients/create/judge.ts': {
    'StringLiteral: \'not-sent\' → ""': 'what is not known says nothing of the create, either',
    'StringLiteral: \'not-admitted\' → ""': 'the same',
    'StringLiteral: \'misconfigured\' → ""': 'the same',
    'StringLiteral: \'throttled\' → ""': 'the same',
    "ConditionalExpression: case 'throttled': → case 'throttled':": 'the same',
    'ConditionalExpression: absentSince !== undefined → true': 'only the types need it: no time has passed since NaN',
  },
  'src/clients/create/claims.ts': {
    "StringLiteral: '' → \"Stryker was here!\" in const [fingerprint = ''] = fingerprints":
      'only the types need it: a body has a fingerprint',
  },
  'src/clients/create/poll-status.ts': {
    "ConditionalExpression: outcome.kind === 'throttled' → true":
      'only the types need it: no other outcome has a Retry-After',
    'ConditionalExpression: limits.settleMs !== undefined → true':
      'only the types need it: nothing has stood for as long as NaN',
    'ConditionalExpression: absentSince === undefined || settleMs === undefined → false': 'NaN is not above 0, either',
    'LogicalOperator: absentSince === undefined || settleMs === undefined → absentSince === undefined && settleMs === undefined':
      'the same',
    'ConditionalExpression: absentSince === undefined → false': 'the same',
    'ConditionalExpression: settleMs === undefined → false': 'the same',
  },
  'src/partner/resilience.ts': {
    'ConditionalExpression: breaker.state === CircuitState.Closed → true':
      'after a probe that failed the circuit has just opened again, and admits nothing',
  },
  'src/clients/create/conclude.ts': {
    "ConditionalExpression: delivered.status === 'not-taken' → true":
      'only the types need it: nothing else has an outcome',
  },
  'src/clients/create/deliver.ts': {
    "ConditionalExpression: conclusion?.status === 'created' → false": 'the knowledge then says "created" as well',
    'StringLiteral: \'created\' → ""': 'the same',
  },
  'src/clients/create/create-client.ts': {
    'ConditionalExpression: command.keyId === undefined → false':
      'only the types need it: no work is kept under undefined',
    'ConditionalExpression: keyId !== undefined → true': 'nobody looks for the key undefined',
    'ConditionalExpression: keyId === undefined → false': 'only the types need it: no row is found under undefined',
  },
}
