export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

/** The value below which the share `q` of them lies, between two neighbours in proportion. */
export function percentile(values: readonly number[], q: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = Float64Array.from(values).sort()
  const position = (sorted.length - 1) * q
  const below = sorted[Math.floor(position)] ?? 0
  const above = sorted[Math.ceil(position)] ?? 0
  return below + (above - below) * (position - Math.floor(position))
}

/** The median of each member, over the rounds. */
export function medianOfEach<T extends Record<keyof T, number>>(rounds: readonly T[]): T {
  const [first] = rounds
  if (first === undefined) throw new Error('no rounds')
  const names = Object.keys(first) as (keyof T)[]
  return Object.fromEntries(names.map((name) => [name, median(rounds.map((round) => round[name]))])) as T
}
