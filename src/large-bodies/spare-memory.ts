/** Reused memory for large bodies: the garbage collector, which stops all requests, then has little to do. */

/** The buffers that are free at the moment. All have the same size. */
const spare: Buffer<ArrayBuffer>[] = []
const maxSpare = 4

/** The memory may hold bytes of an earlier body in its unused part. */
export function takeBuffer(bytes: number): Buffer<ArrayBuffer> {
  return spare.pop() ?? Buffer.allocUnsafeSlow(bytes)
}

/** Memory that is not kept is freed at once. Otherwise 100 MB may wait for the garbage collector. */
export function putBack(buffer: Buffer<ArrayBuffer>, usedBytes: number): void {
  if (spare.length < maxSpare) spare.push(buffer.fill(0, 0, usedBytes))
  else buffer.buffer.transfer(0)
}
