/** The documents of the mixed load, sent by a process of its own so that they do not disturb the clock of the typical requests. */
import { drive } from './drive.ts'
import { serialiseBody } from './loads.ts'

export interface FlowOptions {
  readonly url: string
  readonly connections: number
  readonly maxSeconds: number
  readonly keyed: boolean
}

const options: FlowOptions = JSON.parse(process.argv[2] ?? '')
const toldToStop = new Promise((resolve) => process.once('message', resolve))
process.on('disconnect', () => process.exit())

const driven = await drive({
  urls: [options.url],
  body: serialiseBody('document-2m'),
  connections: options.connections,
  seconds: options.maxSeconds,
  keyed: options.keyed,
  until: toldToStop,
})
process.send?.(driven, undefined, undefined, () => process.disconnect?.())
