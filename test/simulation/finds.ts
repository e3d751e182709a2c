/** Worlds that once broke a promise, each with what it taught. They are run by every test. */

export interface OldFind {
  readonly seed: number
  readonly lesson: string
}

export const finds: readonly OldFind[] = [
  { seed: 204, lesson: 'a GET that cannot read the ledger must not say that nothing of the intent can exist' },
  { seed: 24, lesson: 'what a caller was told from memory, "processing", must be what the next GET says' },
  { seed: 19_111, lesson: 'a caller that joins must not be told less than the ledger has learnt in the meantime' },
  {
    seed: 14_589,
    lesson: 'the answer to a question asked before a conclusion must not replace the conclusion’s own questions',
  },
]
