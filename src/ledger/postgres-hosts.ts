/**
 * Finds the host of a URL that takes writes. `pg` supports only one host, so this file does the work of libpq's
 * `target_session_attrs=read-write`.
 */
import { Client, type ClientBase, type ClientConfig } from 'pg'
import type { Logger } from 'pino'
import type { OwnLedger } from './postgres-identity.ts'

/** The time limit from the first packet of a connection to the first answer. */
export const connectTimeoutMs = 1000

/** The host is a standby, or a primary that takes no writes. Carries the code that PostgreSQL uses. */
export class ReadOnlyError extends Error {
  readonly code = '25006'

  constructor() {
    super('the ledger’s PostgreSQL takes no writes')
    this.name = 'ReadOnlyError'
  }
}

/** The settings of a server that decide whether a claim survives a crash. */
export interface ServerPromises {
  readonly is_read_only: boolean
  readonly fsync: string
  readonly synchronous_commit: string
  readonly synchronous_standby_names: string
}

const promisesQuery = `
SELECT current_setting('transaction_read_only') = 'on' AS is_read_only, current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('synchronous_standby_names') AS synchronous_standby_names`

/** @throws ReadOnlyError */
export async function checkWritable(client: ClientBase): Promise<ServerPromises> {
  const { rows } = await client.query<ServerPromises>(promisesQuery)
  const [promises] = rows as [ServerPromises]
  if (promises.is_read_only) throw new ReadOnlyError()
  return promises
}

/**
 * Opens a connection to every host at once. Uses the first host that takes writes and holds our ledger, and `lastResort` only if
 * no other host does.
 */
export async function findWritable<T>(
  configs: readonly ClientConfig[],
  lastResort: ClientConfig | undefined,
  own: OwnLedger,
  use: (config: ClientConfig, client: ClientBase, promises: ServerPromises) => Promise<T>,
): Promise<T> {
  const tries = configs.map((config) => ({ config, found: tryHost(config, own) }))
  // The last resort may fail before `firstOf` looks: without this line the rejection would end the process.
  for (const { found } of tries) found.catch(() => undefined)
  const others = tries.filter(({ config }) => config !== lastResort)
  try {
    const config = await firstOf(others).catch(() => firstOf(tries))
    const { client, promises } = await (tries.find((one) => one.config === config) as (typeof tries)[number]).found
    return await use(config, client, promises)
  } finally {
    for (const { found } of tries) found.then(({ client }) => client.end()).catch(() => undefined)
  }
}

interface Try {
  readonly config: ClientConfig
  readonly found: Promise<unknown>
}

async function firstOf(tries: readonly Try[]): Promise<ClientConfig> {
  try {
    return await Promise.any(tries.map(({ config, found }) => found.then(() => config)))
  } catch (error) {
    const causes = (error as AggregateError).errors as Error[]
    const reasons = causes.map((cause) => cause.message || (cause as NodeJS.ErrnoException).code).join('; ')
    throw new Error(`no host of the ledger takes writes: ${reasons}`, { cause: causes.at(-1) })
  }
}

async function tryHost(config: ClientConfig, own: OwnLedger): Promise<{ client: Client; promises: ServerPromises }> {
  const client = new Client({
    ...config,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs,
  })
  // The waiting query reports a lost connection. Without a listener the event would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
    const promises = await checkWritable(client)
    await own.check(client, config)
    return { client, promises }
  } catch (error) {
    void client.end().catch(() => undefined)
    throw error
  }
}

/** A PostgreSQL that loses commits cannot serve as a ledger. */
export function warnOfLosses(
  { fsync, synchronous_commit: commit, synchronous_standby_names: names }: ServerPromises,
  log: Logger,
) {
  if (fsync !== 'on')
    log.warn('the ledger’s PostgreSQL has fsync off: a crash of its machine loses claims; set fsync on')
  if (commit === 'off') {
    log.warn('the ledger’s PostgreSQL has synchronous_commit off: a crash loses claims; set synchronous_commit on')
  } else if (names === '' || commit === 'local') {
    log.info('the ledger’s PostgreSQL waits for no standby: a failover loses the latest claims')
  }
}
