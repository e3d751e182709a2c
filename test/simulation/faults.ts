/** Faults that somebody might make, as changes of the sources' text. Each must be found within 20,000 worlds. */

export interface DeliberateFault {
  readonly name: string
  readonly file: string
  /** Stands once in the file. */
  readonly find: string
  readonly replace: string
  /** What the changed file needs besides. */
  readonly imports?: string
}

const create = 'src/clients/create/create-client.ts'
const deliver = 'src/clients/create/deliver.ts'
const judge = 'src/clients/create/judge.ts'
const rules = 'src/ledger/rules.ts'

export const deliberateFaults: readonly DeliberateFault[] = [
  {
    name: 'claim after send',
    file: 'src/clients/create/settle.ts',
    imports: `import { encodeRequest } from '../../partner/encode.ts'
import { toAddClientRequest } from './mapping.ts'`,
    find: 'const { isClaimed, row } = await parts.claims.claim(command, deadlineAt)',
    replace: `const request = encodeRequest(toAddClientRequest(command.body, command.requestId, parts.settings.defaults))
    await parts.delivery.send(request, {
      deadlineAt, waitUntil: 0, log: command.log, mayHaveArrived: false, startWaiting: () => false, renew: async () => false,
    })
    const { isClaimed, row } = await parts.claims.claim(command, deadlineAt)`,
  },
  {
    name: 'a time-out taken as not sent',
    file: 'src/partner/outcome.ts',
    find: "kind: sent ? 'unknown' : 'not-sent'",
    replace: "kind: sent && reason !== 'timeout' ? 'unknown' : 'not-sent'",
  },
  {
    name: '503 on a time-out',
    file: deliver,
    find: `    case 'unknown':
      return isResend`,
    replace: `    case 'unknown':
      if (outcome.result === 'timeout') return { status: 'not-taken', outcome: { ...outcome, kind: 'not-sent' } }
      return isResend`,
  },
  {
    name: 'a reconciler that believes the first "no such request"',
    file: judge,
    find: 'const isAbsent = before.absentSince !== undefined && askedAt - before.lastSendAt >= absentMs',
    replace: 'const isAbsent = askedAt >= before.lastSendAt',
  },
  {
    name: '"not created" after 2 s',
    file: judge,
    find: 'askedAt - before.lastSendAt >= absentMs',
    replace: 'askedAt - before.lastSendAt >= 2000',
  },
  {
    name: 'one doubtful error believed',
    file: judge,
    find: 'const isBelieved = doubts >= fewestDoubts && askedAt - doubtedSince >= doubtMs',
    replace: 'const isBelieved = doubtMs > 0',
  },
  {
    name: 'the request_id without the body',
    file: 'src/clients/create/idempotency-key.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of the source
    find: '`${key}\\n${caller}\\n${fingerprint}`',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of the source
    replace: '`${key}\\n${caller}`',
  },
  {
    name: 'a resend without a renewed claim',
    file: deliver,
    find: "if (!(await context.renew(true))) return { status: 'undecided', knowledge: start }",
    replace: '',
  },
  {
    name: 'a place that is never left',
    file: create,
    find: 'works.delete(keyId)\n      seat.leave()',
    replace: 'works.delete(keyId)',
  },
  {
    name: 'work that is never forgotten',
    file: create,
    find: 'if (keyId !== undefined) works.delete(keyId)\n',
    replace: '',
  },
  {
    name: 'the fencing token ignored',
    file: rules,
    find: 'if (isOwnConclusion(change) && token !== row.claimToken) return false',
    replace: '',
  },
  {
    name: 'conclusions that are not asked about again',
    file: rules,
    find: 'if (isInferred) return inferredAsksAtMs[0]',
    replace: 'if (isInferred) return undefined',
  },
  {
    name: '"safe to retry" whatever came before',
    file: 'src/clients/answer.ts',
    find: "isFirstClaim ? 'yes' : safeToRetryWith(keyId)",
    replace: "isFirstClaim ? 'yes' : 'yes'",
  },
  {
    name: 'a first byte after the time is over',
    file: 'src/partner/exchange.ts',
    find: "if (this.settled) controller.abort(new Error('given up before it was sent'))\n    else ",
    replace: '',
  },
  {
    name: '"safe to retry" although another request has the claim',
    file: 'src/clients/create/conclude.ts',
    find: 'isHeld: recorded.was !== undefined',
    replace: 'isHeld: true',
  },
  {
    name: 'a repetition that does not wait',
    file: judge,
    find: 'return settleMs === 0 || at - absentSince >= settleMs',
    replace: 'return true',
  },
  {
    name: 'repetitions without an end',
    file: deliver,
    find: 'return isResend ? await ask(errand, start) : await pursue(errand, () => request, start)',
    replace: 'return await pursue(errand, () => request, start)',
  },
  {
    name: 'two doubtful errors believed',
    file: judge,
    find: 'doubts >= fewestDoubts && ',
    replace: '',
  },
  {
    name: 'doubtful errors that are counted on after another answer',
    file: judge,
    find: 'const heard = { ...before, doubts: 0, doubtedSince: undefined }',
    replace: 'const heard = before',
  },
  {
    name: 'a decision that "process" takes back',
    file: rules,
    find: "row.state === 'rejected' && row.isInferred && !isInferred",
    replace: "row.state === 'rejected' && !isInferred",
  },
  {
    name: 'places without a limit',
    file: 'src/partner/fair-share.ts',
    find: 'if (allTaken >= places || own >= share) return false',
    replace: '',
  },
  {
    name: 'a wait without an end',
    file: deliver,
    find: 'Math.min(waitUntil, deadlineAt)',
    replace: 'deadlineAt',
  },
  {
    name: 'a joiner that waits as long as the first caller',
    file: create,
    find: 'await withinOwnWait(running, command, parts.settings.waitMs, find)',
    replace: 'await withinWait(running, command, find)',
  },
  {
    name: 'a claim without an answer that is not given back',
    file: 'src/clients/create/unused-claims.ts',
    find: 'this.running ??= this.run()',
    replace: '',
  },
  {
    name: 'a claim without an answer that is not made again before it is given back',
    file: 'src/clients/create/unused-claims.ts',
    find: 'await repeat?.()',
    replace: 'repeat',
  },
  {
    name: 'what was not taken, and could not be recorded, is forgotten',
    file: 'src/clients/create/conclude.ts',
    find: 'if (!mayBeTaken) claims.giveBack(row)',
    replace: '',
  },
  {
    name: 'silence counted from the question',
    file: 'src/clients/create/poll-status.ts',
    find: 'judge(before, outcome, askedAt, settings, performance.now())',
    replace: 'judge(before, outcome, askedAt, settings)',
  },
]
