/**
 * The line to a ledger. What it carries it does not change, but it can stop a replica of the service just before a claim's answer
 * reaches it, it can hold back what comes from the ledger, and it can be led to another server.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface LedgerLine {
  readonly port: number
  /** Calls `stop` just before the answer to the next claim is handed on, and resolves then. */
  stopAtNextClaim(stop: () => void): Promise<void>
  /** Answers are lost from now on, until it leads elsewhere. */
  holdAnswers(): void
  /** From now on; what is open is cut off. */
  leadTo(port: number): void
  close(): Promise<void>
}

/** Of all statements only a claim names the caller. */
const claimMark = 'anonymous'

export async function openLedgerLine(port: number): Promise<LedgerLine> {
  let targetPort = port
  let onClaim: (() => void) | undefined
  let isHolding = false
  const open = new Set<Socket>()

  function carry(near: Socket): void {
    const far = connect(targetPort, '127.0.0.1')
    let isClaiming = false
    near.on('data', (bytes: Buffer) => {
      isClaiming ||= onClaim !== undefined && bytes.includes(claimMark)
      far.write(bytes)
    })
    far.on('data', (bytes: Buffer) => {
      if (isClaiming) onClaim?.()
      isClaiming = false
      if (!isHolding) near.write(bytes)
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
  }

  function cut(): void {
    for (const socket of open) socket.destroy()
  }

  const server = createServer({ noDelay: true }, carry).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stopAtNextClaim: (stop) =>
      new Promise((resolve) => {
        onClaim = () => {
          onClaim = undefined
          stop()
          resolve()
        }
      }),
    holdAnswers() {
      isHolding = true
    },
    leadTo(port) {
      targetPort = port
      isHolding = false
      cut()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}
