/** The `Prefer` header (RFC 7240): how long a caller wants to wait for a final outcome. */

export interface Preference {
  /**
   * The wait for a final outcome, counted from the arrival of the request. until-accepted: until FreedomPay has accepted the
   * create. Undefined: the service's default.
   */
  readonly wait: number | 'until-accepted' | undefined
  /** The value of `Preference-Applied`: the preferences that are honoured; empty if there are none. */
  readonly applied: string
}

const none: Preference = { wait: undefined, applied: '' }

/**
 * Understands `respond-async` and `wait=N` (seconds). A wait beyond the deadline is shortened to the deadline. RFC 7240 demands
 * that every other preference is ignored, and that the first counts if a preference comes twice (section 2).
 */
export function parsePrefer(header: string | undefined, deadlineMs: number): Preference {
  if (header === undefined) return none
  const preferences = new Map<string, string>()
  for (const preference of unquote(header).split(',')) {
    const [withoutParameters = ''] = preference.split(';')
    const [token = '', ...value] = withoutParameters.split('=')
    const name = token.trim().toLowerCase()
    if (!preferences.has(name)) preferences.set(name, value.join('=').trim())
  }
  const respondAsync = preferences.get('respond-async') === ''
  const waitSeconds = parseSeconds(preferences.get('wait'))
  // Together they mean: wait that long, then answer asynchronously (section 4.3).
  const applied = respondAsync ? ['respond-async'] : []
  if (waitSeconds === undefined) return respondAsync ? { wait: 'until-accepted', applied: 'respond-async' } : none
  const seconds = Math.min(waitSeconds, Math.ceil(deadlineMs / 1000))
  const wait = Math.min(seconds * 1000, deadlineMs)
  return { wait, applied: [...applied, `wait=${seconds}`].join(', ') }
}

/**
 * Quoted digits are unquoted. Any other quoted string becomes `?`: a comma or semicolon inside would be taken for a separator.
 */
function unquote(header: string): string {
  return header.replace(/"([^"]*)"/g, (_quoted, text: string) => (/^\d*$/.test(text) ? text : '?'))
}

function parseSeconds(value = ''): number | undefined {
  return /^\d+$/.test(value) ? Number(value) : undefined
}
