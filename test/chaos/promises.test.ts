/** That every check of the chaos suite can fail, and does not where nothing is wrong. */
import t from 'tap'
import type { ExistingClient, History, KnownIntent, Statement } from './history.ts'
import { findBrokenPromises } from './promises.ts'

const easy: KnownIntent = { key: 'k', requestId: 'r', scenario: '567', phone: '+1', truth: 'created' }
const client: ExistingClient = { requestId: 'r', clientId: 'c', registeredAt: 110, createdAt: 120 }
const arrival = { requestId: 'r', phone: '+1', at: 110 }
const lastRead = get(900, 910, { clientId: 'c' })

/** One key, one request, one answer, all as it should be. */
const kept: History = {
  intents: [easy],
  statements: [post(100, 200, { clientId: 'c' })],
  lastReads: new Map([['k', lastRead]]),
  arrivals: [arrival],
  clients: [client],
  unresolved: [0],
  ledgerOutages: [],
  standStills: [],
  losses: [],
  mayResend: true,
  leaks: [],
  accidents: [],
}

function post(startedAt: number, endedAt: number, rest: Partial<Statement> = {}): Statement {
  return { key: 'k', method: 'POST', startedAt, endedAt, says: 'created', answer: '201 created', ...rest }
}

function get(startedAt: number, endedAt: number, rest: Partial<Statement> = {}): Statement {
  return { ...post(startedAt, endedAt), method: 'GET', answer: '200 created', ...rest }
}

const created = kept.statements[0] as Statement
const unknown = { says: 'unknown', answer: '202 unknown' } as const
const denied = { says: 'not-created', answer: '503 partner-unavailable' } as const
const refused = { says: 'not-sent', answer: '503 overloaded' } as const
const rejected = { says: 'rejected', answer: '422 partner-rejected' } as const
const lost = { says: 'nothing', answer: 'UND_ERR_SOCKET' } as const
const inProgress = { says: 'in-progress', answer: '409 request-in-progress' } as const

/** An intent that the partner refuses. */
const refusedIntent: Partial<History> = {
  intents: [{ ...easy, scenario: '002', truth: 'rejected' }],
  clients: [],
  lastReads: new Map([['k', get(900, 910, { says: 'rejected' })]]),
}
const absentIntent: Partial<History> = {
  intents: [{ ...easy, truth: 'no such request' }],
  clients: [],
  lastReads: new Map([['k', get(900, 910, { says: 'not-created' })]]),
}
const endlessIntent: Partial<History> = {
  intents: [{ ...easy, scenario: '010', truth: 'processing' }],
  clients: [],
  statements: [post(100, 200, { says: 'processing' })],
  lastReads: new Map([['k', get(900, 910, { says: 'processing' })]]),
  unresolved: [1, 1],
}

const ledgerRefusal = { says: 'not-sent', answer: '503 ledger-unavailable' } as const

const histories: Record<string, Partial<History>> = {
  'one answer': {},
  'the same answer again': {
    statements: [created, post(300, 310, { clientId: 'c' }), get(320, 330, { clientId: 'c' })],
  },
  'an id that is learnt later': { statements: [post(100, 200), get(300, 310, { clientId: 'c' })] },
  'a replay by the caller that hung up': { statements: [post(90, 95, lost), post(300, 310, { clientId: 'c' })] },
  'a denial before the request that led to the client': { statements: [post(50, 60, denied), created] },
  'a denial while another request is on its way': { statements: [post(80, 130, denied), created] },
  'a denial, and a lost answer before it': { statements: [post(50, 60, lost), post(70, 80, denied)] },
  'a refusal while the client exists': { statements: [created, post(300, 310, refused)] },
  'less is known, as the ledger was away when it was told': {
    statements: [created, post(300, 310, unknown), post(320, 330, inProgress)],
    ledgerOutages: [{ from: 150, to: 250 }],
  },
  'a replica that stood still did not hear its ledger in time': {
    statements: [created, post(300, 410, ledgerRefusal)],
    standStills: [{ from: 305, to: 405 }],
  },
  'the ledger has lost what was told': {
    statements: [created, post(300, 310, unknown), get(400, 410, denied)],
    losses: [{ from: 150, to: 250 }],
  },
  'nothing known of it in the end, as the ledger has lost it': {
    lastReads: new Map([['k', get(900, 910, { says: 'absent' })]]),
    losses: [{ from: 105, to: 115 }],
  },
  'not-created in the end, as the ledger has lost the send before': {
    lastReads: new Map([['k', get(900, 910, denied)]]),
    statements: [],
    losses: [{ from: 105, to: 115 }],
  },
  'work without an end that the ledger has lost': {
    ...endlessIntent,
    arrivals: [arrival],
    losses: [{ from: 105, to: 115 }],
    lastReads: new Map([['k', get(900, 910, { says: 'absent' })]]),
    unresolved: [0, 1],
  },
  'a create that arrives again, where that is allowed': { arrivals: [arrival, arrival] },
  'a create that arrives again, as it was refused for being too much': {
    intents: [{ ...easy, scenario: '009' }],
    arrivals: [arrival, arrival],
    mayResend: false,
  },
  'a rejection, twice': { ...refusedIntent, statements: [post(100, 200, rejected), post(300, 310, rejected)] },
  'a request that never arrived': { ...absentIntent, statements: [post(100, 200, denied)] },
  'nothing was ever taken': {
    ...absentIntent,
    statements: [post(100, 200, refused)],
    lastReads: new Map([['k', get(900, 910, { says: 'absent' })]]),
  },
  'work without an end': endlessIntent,
}

for (const [name, history] of Object.entries(histories)) {
  t.test(`no promise is broken by: ${name}`, async (t) => {
    t.strictSame(findBrokenPromises({ ...kept, ...history }), [])
  })
}

type Case = [name: string, history: Partial<History>, ...checks: string[]]

const cases: Case[] = [
  ['another request_id arrives', { arrivals: [arrival, { ...arrival, requestId: 'x' }] }, 'oneClientForEachIntent'],
  [
    'a second client for the same phone',
    { arrivals: [arrival, { ...arrival, requestId: 'x' }], clients: [client, { ...client, requestId: 'x' }] },
    'oneClientForEachIntent',
  ],
  ['two clients of one request', { clients: [client, { ...client, clientId: 'd' }] }, 'oneClientForEachIntent'],
  ['a client that nobody sent', { clients: [client, { ...client, requestId: 'x' }] }, 'oneClientForEachIntent'],
  ['an answer that names another request', { statements: [{ ...created, requestId: 'x' }] }, 'oneClientForEachIntent'],
  ['created, with another id', { statements: [post(100, 200, { clientId: 'd' })] }, 'createdNamesTheClient'],
  ['created, before it exists', { statements: [post(100, 115, { clientId: 'c' })] }, 'createdNamesTheClient'],
  ['created, and no client', { ...absentIntent, statements: [post(100, 200)] }, 'createdNamesTheClient'],
  [
    'rejected, and a client comes to exist',
    { statements: [post(50, 60, rejected), created] },
    'noFalseDenial',
    'answersAgree',
    'nothingGoesWrong',
  ],
  ['a denial of a client that exists', { statements: [created, post(115, 190, denied)] }, 'noFalseDenial'],
  ['not-created, read while the client exists', { statements: [created, get(115, 190, denied)] }, 'noFalseDenial'],
  ['a denial of a client that its own request creates', { statements: [post(100, 200, denied)] }, 'noFalseDenial'],
  [
    'a denial of what an earlier request, which is over, creates later',
    { statements: [post(50, 60, unknown), post(70, 80, denied)] },
    'noFalseDenial',
  ],
  ['a refused request creates the client', { statements: [post(100, 200, refused)] }, 'noFalseDenial'],
  [
    'a request that came later is no excuse',
    { statements: [post(100, 105, refused), post(300, 310, lost)] },
    'noFalseDenial',
  ],
  ['reading is no excuse', { statements: [post(100, 105, refused), get(106, 108, lost)] }, 'noFalseDenial'],
  ['a create arrives again', { arrivals: [arrival, arrival], mayResend: false }, 'nothingIsSentTwice'],
  [
    'a denial before the ledger lost anything',
    { statements: [created, get(115, 190, denied)], losses: [{ from: 250, to: 300 }] },
    'noFalseDenial',
  ],
  [
    'nothing known of it in the end, though the ledger lost nothing of it',
    { lastReads: new Map([['k', get(900, 910, { says: 'absent' })]]), losses: [{ from: 250, to: 300 }] },
    'lastReadsTellTheTruth',
  ],
  ['created, then unknown', { statements: [created, post(300, 310, unknown)] }, 'answersAgree'],
  ['created, then in progress', { statements: [created, post(300, 310, inProgress)] }, 'answersAgree'],
  ['created, then without its id', { statements: [created, get(300, 310)] }, 'answersAgree'],
  ['created, then nothing known of it', { statements: [created, get(300, 310, { says: 'absent' })] }, 'answersAgree'],
  [
    'created, then not-created, though the ledger was away',
    { statements: [created, get(300, 310, denied)], ledgerOutages: [{ from: 150, to: 250 }] },
    'noFalseDenial',
    'answersAgree',
  ],
  [
    'created, then unknown, long after the ledger was away',
    { statements: [created, post(300, 310, unknown)], ledgerOutages: [{ from: 50, to: 90 }] },
    'answersAgree',
  ],
  [
    'rejected, then unknown',
    { ...refusedIntent, statements: [post(100, 200, rejected), post(300, 310, unknown)] },
    'answersAgree',
  ],
  [
    'unknown, then no such request',
    { statements: [post(100, 200, unknown), get(300, 310, { says: 'absent' })] },
    'answersAgree',
  ],
  [
    'processing, then unknown, then not-created',
    {
      ...endlessIntent,
      statements: [post(100, 200, { says: 'processing' }), get(300, 310, unknown), get(400, 410, denied)],
    },
    'answersAgree',
    'answersAgree',
  ],
  ['a replica with something unresolved', { unresolved: [0, 1] }, 'nothingElseIsUnresolved'],
  ['a replica that has lost sight of one', { ...endlessIntent, unresolved: [1, 0] }, 'nothingElseIsUnresolved'],
  [
    'work without an end that should have one',
    { ...endlessIntent, intents: [{ ...easy, truth: 'processing' }] },
    'nothingElseIsUnresolved',
  ],
  ['nobody has read it in the end', { lastReads: new Map() }, 'lastReadsTellTheTruth'],
  ['unknown in the end', { lastReads: new Map([['k', get(900, 910, unknown)]]) }, 'lastReadsTellTheTruth'],
  ['created without its id in the end', { lastReads: new Map([['k', get(900, 910)]]) }, 'lastReadsTellTheTruth'],
  [
    'not-created in the end, where it was rejected',
    { ...refusedIntent, statements: [], lastReads: new Map([['k', get(900, 910, denied)]]) },
    'lastReadsTellTheTruth',
  ],
  ['a fault', { statements: [created, post(300, 310, { says: 'fault', answer: '500 internal' })] }, 'nothingGoesWrong'],
  [
    'a rejection out of nowhere',
    { ...refusedIntent, intents: [{ ...easy, truth: 'rejected' }], statements: [post(100, 200, rejected)] },
    'nothingGoesWrong',
  ],
  [
    'a refused credential out of nowhere',
    { ...absentIntent, statements: [post(100, 200, { ...denied, answer: '502 partner-misconfigured' })] },
    'nothingGoesWrong',
  ],
  ['a ledger that fails by itself', { statements: [created, post(300, 310, ledgerRefusal)] }, 'nothingGoesWrong'],
  [
    'a ledger that fails by itself, after a replica stood still',
    { statements: [created, post(300, 310, ledgerRefusal)], standStills: [{ from: 250, to: 290 }] },
    'nothingGoesWrong',
  ],
  ['a process that ends by itself', { accidents: ['replica 1 ended by itself'] }, 'nothingGoesWrong'],
  ['personal data in a log', { leaks: ['the output of replica 1'] }, 'noPersonalDataIsLeft'],
]

for (const [name, history, ...checks] of cases) {
  t.test(`${checks.join(' and ')} reports: ${name}`, async (t) => {
    const broken = findBrokenPromises({ ...kept, ...history })
    t.strictSame([...new Set(broken.map((line) => line.split(':', 1)[0]))], [...new Set(checks)], broken.join('\n'))
  })
}
