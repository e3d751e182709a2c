/** The `Prefer` header (RFC 7240): how long a caller wants to wait for a final outcome. */

export interface Preference {
  /** How long to wait for a final outcome, counted from the arrival of the request. Undefined: the service's default. */
  readonly waitMs: number | undefined
  /** For `Preference-Applied`: what was understood and is honoured; empty when nothing was. */
  readonly applied: string
}

const none: Preference = { waitMs: undefined, applied: '' }

/**
 * Understands `respond-async` and `wait=N` (seconds), which is shortened to the deadline. Everything else is ignored, as
 * RFC 7240 wants it; of a preference given twice, the first counts (section 2).
 */
export function parsePrefer(header: string | undefined, deadlineMs: number): Preference {
  if (header === undefined) return none
  let waitSeconds: number | undefined
  let respondAsync = false
  for (const preference of header.split(',')) {
    const [token = '', value] = (preference.split(';')[0] ?? '').split('=', 2).map((part) => part.trim())
    const name = token.toLowerCase()
    if (name === 'respond-async' && value === undefined) respondAsync = true
    if (name === 'wait') waitSeconds ??= parseSeconds(value)
  }
  // Together they mean: wait that long, then answer asynchronously (section 4.3).
  const applied = respondAsync ? ['respond-async'] : []
  if (waitSeconds === undefined) return respondAsync ? { waitMs: 0, applied: 'respond-async' } : none
  const seconds = Math.min(waitSeconds, Math.floor(deadlineMs / 1000))
  return { waitMs: seconds * 1000, applied: [...applied, `wait=${seconds}`].join(', ') }
}

function parseSeconds(value: string | undefined): number | undefined {
  const digits = /^(?:(\d{1,9})|"(\d{1,9})")$/.exec(value ?? '')
  return digits === null ? undefined : Number(digits[1] ?? digits[2])
}
