/** The names of the keys in Redis. The braces are a hash tag: a cluster keeps all these keys on one node. */
const prefix = '{freedompay-clients}:'
export const rowPrefix = `${prefix}request:`
export const keyPrefix = `${prefix}key:`
export const unresolvedKey = `${prefix}unresolved`
export const sharedKeys = [`${prefix}to-ask`, unresolvedKey, `${prefix}never-asked`] as const
export const accountKey = `${prefix}account`
export const probeKey = `${prefix}probed-at`
export const countPrefix = `${prefix}requests-of:`
