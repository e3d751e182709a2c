/** Secrets rotate without a restart: each is read again at intervals. After a faulty text the old secret stays in use. */
import { hash } from 'node:crypto'
import type { Logger } from 'pino'

/** Secrets are polled: Kubernetes swaps a symbolic link, and file watchers miss that. */
export const lookAgainMs = 10_000

/** Why a secret cannot be used. The message is logged, so it must hold no part of the secret. */
export class SecretFault extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SecretFault'
  }
}

/** Called after every reading with the name of the setting. */
export type ObserveSecret = (secret: string, isRead: boolean) => void

export interface SecretReportOptions {
  /** The name of the setting, for the metrics and the log. */
  readonly name: string
  readonly observe: ObserveSecret
  readonly log: Pick<Logger, 'info' | 'error'>
}

/** Reports the readings of one secret to log and metrics. The first reading, at the start, was good. */
export interface SecretReport {
  read(isNew: boolean): void
  failed(error: unknown): void
}

export function createSecretReport({ name, observe, log }: SecretReportOptions): SecretReport {
  let lastFault: string | undefined
  observe(name, true)
  return {
    read(isNew) {
      if (isNew) log.info({ secret: name }, 'a secret has changed; the new one is in use')
      lastFault = undefined
      observe(name, true)
    },
    failed(error) {
      observe(name, false)
      const fault = describeFault(error)
      // A fault is logged once, and not after every reading.
      if (fault !== lastFault)
        log.error({ secret: name, fault, err: error }, 'a secret cannot be read; the old one stays')
      lastFault = fault
    },
  }
}

export interface WatchSecretOptions extends SecretReportOptions {
  readonly everyMs: number
  /** Gets each new text. Throws if the text is faulty; the old secret must then stay in use. */
  readonly onChange: (text: string) => void | Promise<void>
}

export interface WatchedSecret {
  /** Reads the secret now; true if its text is new and good. Concurrent calls share one reading. */
  look(): Promise<boolean>
  stop(): void
}

/** `current` is the text in use, read a moment ago. */
export function watchSecret(
  current: string,
  read: () => string | Promise<string>,
  { everyMs, onChange, ...options }: WatchSecretOptions,
): WatchedSecret {
  const report = createSecretReport(options)
  let digest = toDigest(current)
  let looking: Promise<boolean> | undefined

  async function lookOnce(): Promise<boolean> {
    try {
      const text = await read()
      const isNew = toDigest(text) !== digest
      if (isNew) await onChange(text)
      digest = toDigest(text)
      report.read(isNew)
      return isNew
    } catch (error) {
      report.failed(error)
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

/** The digest is kept instead of the text, so that memory holds no second copy of the secret. */
function toDigest(text: string): string {
  return hash('sha256', text)
}

function describeFault(error: unknown): string {
  if (error instanceof SecretFault) return error.message
  const { code, cause } = error as NodeJS.ErrnoException
  return String(code ?? (cause as NodeJS.ErrnoException | undefined)?.code ?? 'unreadable')
}
