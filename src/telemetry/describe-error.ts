/** An error as the fields of a log line. */

/** Of errors in an error: more than this service has. The limit is needed, as causes may form a circle. */
const maxDepth = 5

const ownFields = ['code', 'syscall', 'address', 'port', 'statusCode'] as const

/**
 * An error without its message, as a message may quote data: the message of a JSON parser holds a piece of the body. The type,
 * the code and the stack are enough to find the fault.
 */
export function describeError(error: unknown): Record<string, unknown> {
  return describe(error, maxDepth)
}

function describe(error: unknown, depthLeft: number): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const fields: Record<string, unknown> = { type: error.name }
  for (const name of ownFields) {
    const value: unknown = Reflect.get(error, name)
    if (typeof value === 'string' || typeof value === 'number') fields[name] = value
  }
  const frames = findFrames(error)
  if (frames.length > 0) fields.stack = frames.map((line) => line.trim()).join(' | ')
  if (depthLeft === 0) return fields
  if (error.cause !== undefined) fields.cause = describe(error.cause, depthLeft - 1)
  // Two clean-ups have failed, or the work and its clean-up.
  if (error instanceof SuppressedError) {
    fields.error = describe(error.error, depthLeft - 1)
    fields.suppressed = describe(error.suppressed, depthLeft - 1)
  }
  return fields
}

/** A stack begins with the message, and lines of the message may look like frames; so the message is cut off first. */
function findFrames({ message, stack = '' }: Error): string[] {
  const start = stack.indexOf(message)
  if (start < 0) return []
  return stack
    .slice(start + message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
}
