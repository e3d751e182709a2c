/** Points in time as texts. */

let latest = { ms: Number.NaN, text: '' }

/** RFC 3339 in UTC, of milliseconds since the epoch. Under load many ask for the same one, so the latest is remembered. */
export function toTimestamp(ms: number): string {
  if (ms !== latest.ms) latest = { ms, text: new Date(ms).toISOString() }
  return latest.text
}
