/** From the text of one setting to its value. A text without a valid value adds to `faults`. */
import { isIP } from 'node:net'
import { type Member, members } from '../clients/body/schema.ts'

/** The last label of a host name is not a number: such a text is meant as an IPv4 address. */
const hostName = /^(?=.{1,253}$)(?:[\w-]{1,63}\.)*(?!\d+$)(?=.*\w)[\w-]{1,63}$/

export function toHost(text: string, faults: string[]): string {
  if (isIP(text) === 0 && !hostName.test(text)) faults.push('HOST must be an IP address or a host name, without a port')
  return text
}

export function toOrigin(text: string, faults: string[]): string {
  const url = URL.parse(text)
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`
  if (!isOrigin) faults.push('FREEDOMPAY_BASE_URL must be an http(s) origin without a path, such as https://host:port')
  return url?.origin ?? ''
}

export function toCollector(text: string | undefined, faults: string[]): string | undefined {
  if (text !== undefined && !/^https?:$/.test(URL.parse(text)?.protocol ?? '')) {
    faults.push('OTEL_EXPORTER_OTLP_ENDPOINT must be an http(s) address, such as http://collector:4318')
  }
  return text
}

export function toList(text = ''): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}

export function toIntegers(text: string | undefined, faults: string[]): number[] {
  const items = toList(text)
  if (!items.every((item) => /^\d{1,9}$/.test(item))) {
    faults.push('FREEDOMPAY_ALLOWED_PRODUCT_IDS must be a comma-separated list of integers')
  }
  return items.map(Number)
}

export function toMembers(text: string, faults: string[]): Member[] {
  const items = toList(text)
  const unknown = items.filter((item) => !(members as string[]).includes(item))
  if (unknown.length > 0) {
    faults.push(`FREEDOMPAY_REQUIRED must be a comma-separated list of members of the body: ${members.join(', ')}`)
  }
  return items as Member[]
}

const namedNetworks = ['loopback', 'linklocal', 'uniquelocal']

/** false · a number of hops · a comma-separated list of addresses, networks or their names. */
export function toTrustProxy(text: string, faults: string[]): false | number | string {
  if (text === 'false') return false
  if (/^\d{1,3}$/.test(text)) return Number(text)
  const isNetwork = (item: string) => {
    const [address = '', prefix, ...rest] = item.split('/')
    const bits = isIP(address) === 4 ? 32 : 128
    const isPrefix = prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits)
    return isIP(address) !== 0 && isPrefix && rest.length === 0
  }
  const items = toList(text)
  if (items.length === 0 || !items.every((item) => namedNetworks.includes(item) || isNetwork(item))) {
    faults.push('TRUST_PROXY must be false, a number of hops, or comma-separated addresses or networks')
  }
  return items.join(',')
}
