/** Secrets rotate without a restart: each is read again at intervals, and a bad one leaves the old one in use. */
import { hash } from 'node:crypto'
import type { Logger } from 'pino'

/** Kubernetes swaps a symbolic link, which file watchers miss; so secrets are polled. */
export const lookAgainMs = 10_000

/** Why a secret cannot be used. The message is logged, so it must hold no part of the secret. */
export class SecretFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SecretFault'
  }
}

/** Told of every reading; the name is that of the setting. */
export type ObserveSecret = (secret: string, isRead: boolean) => void

export interface WatchSecretOptions {
  /** Of the setting, for the metrics and the log. */
  readonly name: string
  readonly everyMs: number
  /** Gets each new text; throws where the text is bad, and then leaves what it had in place. */
  readonly onChange: (text: string) => void | Promise<void>
  readonly observe: ObserveSecret
  readonly log: Pick<Logger, 'info' | 'error'>
}

export interface WatchedSecret {
  /** Reads the secret now; true where its text is new and good. Calls at the same time share one reading. */
  look(): Promise<boolean>
  stop(): void
}

/** `current` is the text that is in use already, read a moment ago. */
export function watchSecret(
  current: string,
  read: () => string | Promise<string>,
  { name, everyMs, onChange, observe, log }: WatchSecretOptions,
): WatchedSecret {
  let digest = toDigest(current)
  let lastFault: string | undefined
  let looking: Promise<boolean> | undefined
  observe(name, true)

  async function lookOnce(): Promise<boolean> {
    try {
      const text = await read()
      const isNew = toDigest(text) !== digest
      if (isNew) {
        await onChange(text)
        digest = toDigest(text)
        log.info({ secret: name }, 'a secret has changed; the new one is in use')
      }
      lastFault = undefined
      observe(name, true)
      return isNew
    } catch (error) {
      observe(name, false)
      const fault = describeFault(error)
      // Once, and not at every look.
      if (fault !== lastFault)
        log.error({ secret: name, fault, err: error }, 'a secret cannot be read; the old one stays')
      lastFault = fault
      return false
    }
  }

  function look(): Promise<boolean> {
    looking ??= lookOnce().finally(() => {
      looking = undefined
    })
    return looking
  }

  const timer = setInterval(look, everyMs).unref()
  return { look, stop: () => clearInterval(timer) }
}

/** Instead of the text, so that the secret stands in memory once. */
function toDigest(text: string): string {
  return hash('sha256', text)
}

function describeFault(error: unknown): string {
  if (error instanceof SecretFault) return error.message
  return String((error as NodeJS.ErrnoException).code ?? 'unreadable')
}
