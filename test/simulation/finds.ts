/** Worlds that once broke a promise, each with what it taught. They are run by every test; a change of draw.ts needs new seeds. */

export interface OldFind {
  readonly seed: number
  readonly lesson: string
}

export const finds: readonly OldFind[] = [
  { seed: 204, lesson: 'a GET that cannot read the ledger must not say that nothing of the intent can exist' },
  { seed: 24, lesson: 'what a caller was told from memory, "processing", must be what the next GET says' },
  { seed: 441, lesson: 'a caller that joins must not be told less than the ledger has learnt in the meantime' },
  {
    seed: 311_554,
    lesson: 'the answer to a question asked before a conclusion must not replace the conclusion’s own questions',
  },
  {
    seed: 604_131,
    lesson:
      'a row that was taken, and not asked about as the ledger’s answer was lost, has used up none of its questions',
  },
  {
    seed: 1_014_448,
    lesson: 'a create must not count the doubts of the reconciler, which may hear an answer that ends them',
  },
  {
    seed: 1560,
    lesson: 'a send that failed is not safe to retry where another replica has the claim by now, and has sent',
  },
]
