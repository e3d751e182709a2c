/** What a run was like, in a few lines. */
import type { Statement } from './history.ts'
import type { Outcome, Suite } from './suite.ts'

export function summarise(suite: Suite, { history, seconds }: Outcome): string[] {
  const { statements, clients, arrivals, intents, unresolved } = history
  const posts = statements.filter(({ method }) => method === 'POST')
  const disasters = Map.groupBy(suite.disasters, ({ kind }) => kind)
  const sentAgain = arrivals.length - new Set(arrivals.map(({ requestId }) => requestId)).size
  return [
    `${posts.length} POST: ${count(posts)}`,
    `${statements.length - posts.length} GET: ${count(statements.filter(({ method }) => method === 'GET'))}`,
    `partner: ${clients.length} clients for ${intents.length} keys; ${arrivals.length} creates arrived, ${sentAgain} of them sent again`,
    `disasters: ${[...disasters].map(([kind, all]) => `${kind} ${all.length}`).join(', ')}`,
    `unresolved in the end: ${unresolved.join(', ')} (scenario 010: the partner never decides)`,
    `${seconds.toFixed(1)} s`,
  ]
}

function count(statements: readonly Statement[]): string {
  const byAnswer = [...Map.groupBy(statements, ({ answer }) => answer)].map(([answer, all]) => [answer, all.length])
  return byAnswer
    .sort(([, a], [, b]) => Number(b) - Number(a))
    .map(([answer, number]) => `${answer} ${number}`)
    .join(' · ')
}
