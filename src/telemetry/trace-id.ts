/** The trace id of a W3C `traceparent` header (https://www.w3.org/TR/trace-context/), for the log; undefined if malformed. */
export function parseTraceId(traceparent: unknown): string | undefined {
  if (typeof traceparent !== 'string') return undefined
  const traceId = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/.exec(traceparent)?.[1]
  return traceId === undefined || /^0{32}$/.test(traceId) ? undefined : traceId
}
