/** The key of the fingerprints, which the plan needs to know each request_id beforehand. */
export const ledgerKey = 'the-key-of-the-chaos-suite, long enough'
