/** Exit codes, from sysexits.h where one fits. */
export const exitCodes = {
  ok: 0,
  /** A difference was found, there is no such row, or a decision was not taken. */
  difference: 1,
  usage: 64,
  /** A fault of this program, or a result that cannot be written. */
  unforeseen: 70,
  /** The ledger or FreedomPay cannot be reached, or gave no answer. */
  unavailable: 69,
  settings: 78,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Ends the program with a text for the operator. The text never quotes a secret or an error of a library. */
export class OperatorError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'OperatorError'
    this.exitCode = exitCode
  }
}

export function usageError(message: string): OperatorError {
  return new OperatorError(exitCodes.usage, message)
}
