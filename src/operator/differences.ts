/** The differences between the ledger and FreedomPay's own list. */
import type { InspectedRow } from '../ledger/inspection.ts'
import { isFinal } from '../ledger/states.ts'
import { isInHand } from './texts.ts'

/** The client ids of each request id. */
export type Export = ReadonlyMap<string, ReadonlySet<string>>

export interface Difference {
  readonly requestId: string
  readonly facts: readonly string[]
}

/** The worst first. */
const kinds = ['severalClients', 'otherClient', 'toldOtherwise', 'notFinal', 'onlyThere', 'onlyHere'] as const
type Kind = (typeof kinds)[number]

export interface Differences {
  readonly byKind: Readonly<Record<Kind, readonly Difference[]>>
  readonly found: ReadonlySet<string>
  readonly same: number
}

/** A row that a request works on, or that changed after the export, may be missing from the list: that is no difference. */
export async function compareWith(
  list: Export,
  rows: AsyncIterable<InspectedRow>,
  exportedAtMs: number,
): Promise<Differences> {
  const byKind = Object.fromEntries(kinds.map((kind) => [kind, [] as Difference[]])) as Record<Kind, Difference[]>
  const found = new Set<string>()
  const known = new Set<string>()
  let same = 0

  function note(kind: Kind, requestId: string, facts: readonly string[]): void {
    byKind[kind].push({ requestId, facts })
    found.add(requestId)
  }

  for (const [requestId, clients] of list) if (clients.size > 1) note('severalClients', requestId, [...clients])
  for await (const row of rows) {
    const { requestId } = row
    known.add(requestId)
    const clients = list.get(requestId)
    if ((clients?.size ?? 0) > 1 || isInHand(row)) continue
    const [clientId] = clients ?? []
    const kind = compareRow(row, clientId)
    if (kind === 'same') same += 1
    else if (kind === 'onlyHere' && row.updatedAtMs > exportedAtMs) continue
    else if (kind !== undefined) note(kind, requestId, factsOf(kind, row, clientId))
  }
  for (const [requestId, clients] of list) {
    if (!known.has(requestId) && clients.size === 1) note('onlyThere', requestId, [...clients])
  }
  return { byKind, found, same }
}

/** Undefined: neither side has a client. */
function compareRow(
  { state, clientId: own }: InspectedRow,
  clientId: string | undefined,
): Exclude<Kind, 'severalClients' | 'onlyThere'> | 'same' | undefined {
  if (state === 'created') {
    if (clientId === undefined) return 'onlyHere'
    // The client's id may not have been learnt yet.
    return own === undefined || own === clientId ? 'same' : 'otherClient'
  }
  if (clientId === undefined) return undefined
  return isFinal(state) ? 'toldOtherwise' : 'notFinal'
}

function factsOf(kind: Kind, { state, clientId: own }: InspectedRow, clientId = ''): string[] {
  switch (kind) {
    case 'otherClient':
      return [own ?? '', clientId]
    case 'onlyHere':
      return [own ?? 'without an id']
    default:
      return [clientId, `here: ${state}`]
  }
}
