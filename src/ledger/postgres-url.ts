/** Splits a PostgreSQL URL with several hosts: neither WHATWG's URL nor `pg` can read several hosts. */

/** One URL for each host of `postgres://user:password@host-1:5432,host-2:5432/database`; undefined if a part is no URL. */
export function splitHosts(url: string): readonly string[] | undefined {
  const [, scheme = '', credentials = '', hosts = '', rest = ''] =
    /^(postgres(?:ql)?:\/\/)([^/?#]*@)?([^/?#]*)(.*)$/.exec(url) ?? []
  const urls = hosts.split(',').map((host) => scheme + credentials + host + rest)
  const areUrls = urls.every((one) => URL.parse(one)?.hostname)
  return areUrls ? urls.map(withoutSessionAttributes) : undefined
}

/** Removes `target_session_attrs`: the ledger always needs read-write. */
function withoutSessionAttributes(text: string): string {
  const url = new URL(text)
  url.searchParams.delete('target_session_attrs')
  return url.href
}
