/**
 * All writes to SQLite in one turn of the event loop share one commit: the sync of a commit to the disk costs many times more
 * than the writes. No caller gets an answer before the commit.
 */
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

export type WriteTogether = <T>(write: () => T) => Promise<T>

/** The longest wait for the lock of another process. The event loop is not blocked meanwhile. */
const longestLockMs = 2000
const lockPauseMs = 20

interface Waiting {
  /** Writes, and keeps the result for `resolve`. */
  readonly write: () => void
  /** Resolves with the result of the last `write`. */
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** `assertUsable` throws if no write is allowed. */
export function groupCommits(database: DatabaseSync, assertUsable: () => void): WriteTogether {
  const { commit, fail } = prepareTransaction(database, assertUsable)
  let waiting: Waiting[] = []
  let isCommitting = false

  async function commitWaiting(): Promise<void> {
    const giveUpAt = performance.now() + longestLockMs
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        commit(group)
      } catch (error) {
        if (!isLocked(error) || performance.now() > giveUpAt || database.isTransaction) {
          fail(group, error)
          continue
        }
        waiting = [...group, ...waiting]
        await sleep(lockPauseMs)
      }
    }
  }

  function startCommitting(): void {
    commitWaiting()
      .catch(() => undefined)
      .finally(() => {
        isCommitting = false
        if (waiting.length > 0) schedule()
      })
  }

  function schedule(): void {
    if (isCommitting) return
    isCommitting = true
    setImmediate(startCommitting)
  }

  return <T>(write: () => T) =>
    new Promise<T>((resolve, reject) => {
      let result: T
      const writeAndKeep = () => {
        result = write()
      }
      waiting.push({ write: writeAndKeep, resolve: () => resolve(result), reject })
      schedule()
    })
}

interface Transaction {
  /** Writes and commits the group, and then answers its callers. */
  commit(group: readonly Waiting[]): void
  /** Answers the callers of a group that was not committed. */
  fail(group: readonly Waiting[], error: unknown): void
}

function prepareTransaction(database: DatabaseSync, assertUsable: () => void): Transaction {
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const rollback = database.prepare('ROLLBACK')
  return {
    commit(group) {
      assertUsable()
      // An earlier commit and its rollback may both have failed: then the transaction is still open.
      if (database.isTransaction) rollback.run()
      begin.run()
      for (const { write } of group) write()
      commit.run()
      for (const { resolve } of group) resolve()
    },
    fail(group, error) {
      // Rejections come first: a rollback that also fails must not leave the callers without an answer.
      for (const { reject } of group) reject(error)
      if (database.isOpen && database.isTransaction) rollback.run()
    },
  }
}

/** https://sqlite.org/rescode.html#busy */
const sqliteBusy = 5

function isLocked(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === sqliteBusy
}
