/** Seeded randomness: every decision has a generator of its own, so that none depends on the order in which others are made. */

export interface Random {
  /** From 0 to 1, without 1. */
  next(): number
  /** From `min` to `max`, both included. */
  integer(min: number, max: number): number
  chance(share: number): boolean
  pick<T>(items: readonly T[]): T
  shuffle<T>(items: readonly T[]): T[]
}

/** The same seeds give the same numbers, e.g. `createRandom(seed, 'caller', 17)`. */
export function createRandom(...seeds: readonly (string | number)[]): Random {
  const next = mulberry32(hash(seeds.join(' ')))
  const integer = (min: number, max: number) => min + Math.floor(next() * (max - min + 1))
  return {
    next,
    integer,
    chance: (share) => next() < share,
    pick<T>(items: readonly T[]) {
      return items[integer(0, items.length - 1)] as T
    },
    shuffle<T>(items: readonly T[]) {
      const left = [...items]
      return items.map(() => left.splice(integer(0, left.length - 1), 1)[0] as T)
    },
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return value >>> 0
}

/** Tommy Ettinger's generator in the form that Bryk made known: small, fast, and good enough for choosing faults. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
