/** What a run was like, in a few lines. */
import type { History, Period, Statement } from './history.ts'
import type { Outcome, Suite } from './suite.ts'

export function summarise(suite: Suite, { history, lostRows, seconds }: Outcome): string[] {
  const { statements, clients, arrivals, intents, unresolved, ledgerOutages } = history
  const posts = statements.filter(({ method }) => method === 'POST')
  const disasters = Map.groupBy(suite.disasters, ({ kind }) => kind)
  const sentAgain = arrivals.length - new Set(arrivals.map(({ requestId }) => requestId)).size
  const outages = ledgerOutages.map((outage) => describeOutage(outage, posts))
  return [
    `${posts.length} POST: ${count(posts)}`,
    `${statements.length - posts.length} GET: ${count(statements.filter(({ method }) => method === 'GET'))}`,
    `partner: ${clients.length} clients for ${intents.length} keys, ${countDoubles(history)} of them second ones; ${arrivals.length} creates arrived, ${sentAgain} of them sent again`,
    `disasters: ${[...disasters].map(([kind, all]) => `${kind} ${all.length}`).join(', ')}`,
    ...(outages.length === 0 ? [] : [`without a ledger: ${outages.join(', ')}`]),
    ...(lostRows.length === 0 ? [] : [`rows lost in each failover, ${suite.lagMs} ms behind: ${lostRows.join(', ')}`]),
    `unresolved in the end: ${unresolved.join(', ')} (scenario 010: the partner never decides)`,
    `${seconds.toFixed(1)} s`,
  ]
}

/** Clients that an intent has beside its first. */
export function countDoubles({ clients }: History): number {
  return clients.length - new Set(clients.map(({ requestId }) => requestId)).size
}

/** Until a create was answered that began after it. */
function describeOutage({ from, to }: Period, posts: readonly Statement[]): string {
  const served = posts.filter(({ startedAt, says }) => startedAt >= from && ['created', 'processing'].includes(says))
  const firstAt = Math.min(...served.map(({ endedAt }) => endedAt))
  return `${((firstAt - from) / 1000).toFixed(1)} s (all replicas ready after ${((to - from) / 1000).toFixed(1)} s)`
}

function count(statements: readonly Statement[]): string {
  const byAnswer = [...Map.groupBy(statements, ({ answer }) => answer)].map(([answer, all]) => [answer, all.length])
  return byAnswer
    .sort(([, a], [, b]) => Number(b) - Number(a))
    .map(([answer, number]) => `${answer} ${number}`)
    .join(' · ')
}
