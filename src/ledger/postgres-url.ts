/** A PostgreSQL URL may name several hosts, which neither WHATWG's URL nor `pg` reads. */

/** One URL for each host of `postgres://user:password@host-1:5432,host-2:5432/database`; undefined where one is no URL. */
export function splitHosts(url: string): readonly string[] | undefined {
  const [, scheme = '', credentials = '', hosts = '', rest = ''] =
    /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/.exec(url) ?? []
  const urls = hosts.split(',').map((host) => scheme + credentials + host + rest)
  const areUrls = urls.every((one) => URL.parse(one)?.hostname)
  return areUrls ? urls.map(withoutSessionAttributes) : undefined
}

/** Of the values that libpq knows none but read-write would make a ledger. */
function withoutSessionAttributes(text: string): string {
  const url = new URL(text)
  url.searchParams.delete('target_session_attrs')
  return url.href
}
