/** Seeded chance. Each thing of a world draws from a stream of its own, so that leaving one thing out changes no other. */

export interface Random {
  /** From 0 to below 1. */
  next(): number
  /** 32 bits. */
  word(): number
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number
  /** Milliseconds from `least` to `most`, in tenths, as real delays are no whole numbers either. */
  ms(least: number, most: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
}

export function createRandom(seed: number, stream = ''): Random {
  let state = mix(seed ^ hashText(stream))
  const word = () => {
    // mulberry32: small, quick, and good enough to look for corners.
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (t ^ (t >>> 14)) >>> 0
  }
  const next = () => word() / 2 ** 32
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    next,
    word,
    below,
    ms: (least, most) => Math.round((least + next() * (most - least)) * 10) / 10,
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]) => items[below(items.length)] as T,
  }
}

/** FNV-1a. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash | 0
}

/** Neighbouring seeds must not give similar worlds. */
function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
