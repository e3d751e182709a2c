/** Which faults cost a connection. */
import { DatabaseError, Pool } from 'pg'
import t from 'tap'
import { ReadOnlyError } from '../../src/ledger/postgres-hosts.ts'
import { isFaultOfRow, isFull, isLost, isOfHost } from '../../src/ledger/postgres-pool.ts'

function saidByServer(code: string): DatabaseError {
  const error = new DatabaseError('no', 2, 'error')
  error.code = code
  return error
}

t.test('a fault of the network costs the connection, whatever its code looks like', async (t) => {
  for (const code of ['EPIPE', 'ECONNRESET', 'ETIMEDOUT']) {
    t.equal(isLost(Object.assign(new Error('no'), { code })), true, code)
  }
  t.equal(isLost(new Error('Connection terminated')), true)
})

t.test('of the server’s words only those cost it that mean the connection or the host', async (t) => {
  for (const code of ['57P01', '57P02', '57P03', '25006', '08006', '42P01', 'XX000']) {
    t.equal(isLost(saidByServer(code)), true, code)
  }
  t.equal(isLost(new ReadOnlyError()), true)
  for (const code of ['57014', '53100', '23505', '40P01', '55P03']) t.equal(isLost(saidByServer(code)), false, code)
})

t.test('only a read-only answer and a missing table cost the host', async (t) => {
  for (const code of ['25006', '42P01']) t.equal(isOfHost(saidByServer(code)), true, code)
  for (const code of ['57P01', '57P02', '08006', 'XX000', '23505']) t.equal(isOfHost(saidByServer(code)), false, code)
  t.equal(isOfHost(Object.assign(new Error('no'), { code: 'ECONNRESET' })), false)
})

t.test('a pool or a server without a free connection is full, and one that refuses is not', async (t) => {
  t.equal(isFull(saidByServer('53300')), true)
  t.equal(isFull(saidByServer('57P03')), false)
  t.equal(isFull(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })), false)
  // With `max: 0` the pool takes its default.
  const pool = new Pool({ max: -1, connectionTimeoutMillis: 1 })
  // The timer of the pool keeps no process alive.
  const alive = setTimeout(() => undefined, 60_000)
  const failure = await Promise.allSettled([pool.connect()])
  clearTimeout(alive)
  t.match(failure, [{ status: 'rejected' }])
  if (failure[0].status === 'rejected') t.equal(isFull(failure[0].reason), true, 'no connection came free in time')
  await pool.end()
})

t.test('a group is tried again row by row only where the server undid it for what may lie in one row', async (t) => {
  for (const code of ['22008', '22P02', '23505', '40P01', '40001', '57014']) {
    t.equal(isFaultOfRow(saidByServer(code)), true, code)
  }
  for (const code of ['57P01', '25006', '53100', '53300', '42P01', '08006']) {
    t.equal(isFaultOfRow(saidByServer(code)), false, code)
  }
  t.equal(isFaultOfRow(new Error('Connection terminated')), false)
})
