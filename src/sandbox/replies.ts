/** The sandbox's replies as values, so that only this file touches the connection. */
import type { ServerResponse } from 'node:http'

export type Reply =
  | { readonly kind: 'json'; readonly statusCode: number; readonly body: object; readonly headers?: ReplyHeaders }
  | { readonly kind: 'json byte by byte'; readonly body: object; readonly byteIntervalMs: number }
  | { readonly kind: 'html'; readonly statusCode: number }
  /** JSON that JSON.stringify cannot write. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'cut connection' }
  | { readonly kind: 'none' }

type ReplyHeaders = Readonly<Record<string, string>>

/** HTTP 200 with the error body of FreedomPay's other APIs: the error body and the codes of the Card API are undocumented. */
export function declineWith(code: string, description: string): Reply {
  const body = { status: 'error', request_status: 'error', dt: now(), error_code: code, error_description: description }
  return { kind: 'json', statusCode: 200, body }
}

/** FreedomPay documents only HTTP 200, so the body resembles the documented error body. */
export function failWith(statusCode: number, description: string, headers: ReplyHeaders = {}): Reply {
  const body = { status: 'error', request_status: 'error', dt: now(), error_description: description }
  return { kind: 'json', statusCode, body, headers }
}

/** The time of an answer, in the format of FreedomPay's example: RFC 3339, UTC, ending in `Z`. */
export function now(): string {
  return new Date().toISOString()
}

export function sendReply(res: ServerResponse, reply: Reply): void {
  switch (reply.kind) {
    case 'json': {
      const bytes = Buffer.from(JSON.stringify(reply.body))
      res.writeHead(reply.statusCode, { ...jsonHeaders(bytes), ...reply.headers }).end(bytes)
      break
    }
    case 'json byte by byte':
      sendByteByByte(res, Buffer.from(JSON.stringify(reply.body)), reply.byteIntervalMs)
      break
    case 'html':
      res.writeHead(reply.statusCode, { 'content-type': 'text/html' }).end('<!doctype html><title>Please wait</title>')
      break
    case 'text': {
      const bytes = Buffer.from(reply.text)
      res.writeHead(200, jsonHeaders(bytes)).end(bytes)
      break
    }
    case 'cut connection':
      res.destroy()
      break
    case 'none':
      break
    default:
      reply satisfies never
  }
}

function sendByteByByte(res: ServerResponse, bytes: Buffer, byteIntervalMs: number): void {
  res.writeHead(200, jsonHeaders(bytes))
  let sent = 0
  function sendNext() {
    if (res.destroyed) return
    res.write(bytes.subarray(sent, sent + 1))
    sent += 1
    if (sent < bytes.length) setTimeout(sendNext, byteIntervalMs).unref()
    else res.end()
  }
  sendNext()
}

function jsonHeaders(bytes: Buffer) {
  return { 'content-type': 'application/json', 'content-length': bytes.length }
}
