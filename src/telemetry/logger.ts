/** JSON log lines. Each call logs only named fields; the redaction below is a second protection. */
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import packageJson from '../../package.json' with { type: 'json' }
import { describeError } from './describe-error.ts'
import { openStdout, rememberDestination } from './log-destination.ts'

const { name: service, version } = packageJson

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Fields that must never be in a log, even if a call logs one of them by mistake. */
const neverLogged = [
  'body',
  'headers',
  'req',
  'res',
  'phone',
  'firstName',
  'lastName',
  'middleName',
  'birthDate',
  'email',
  'personId',
  'document',
  'authorization',
  'secretKey',
]

export function createLogger(level: LogLevel, destination: DestinationStream = openStdout()): Logger {
  const log = pino(
    {
      level,
      base: { service, version },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: neverLogged, censor: '[redacted]' },
      hooks: {
        logMethod(args: Parameters<LogFn>, method) {
          const [told, message] = args as readonly unknown[]
          if (typeof told === 'string' || message !== undefined) method.apply(this, args)
          // Without a message pino logs the error's message, which may quote personal data.
          else method.call(this, told instanceof Error ? { err: told } : told, '')
        },
      },
    },
    destination,
  )
  rememberDestination(log, destination)
  return log
}
