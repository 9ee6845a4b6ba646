// The certificates that a TLS connection trusts.

/**
 * TLS options that trust exactly these certificates (PEM), as Go's clients and servers do: each of them is an anchor, so
 * that an intermediate authority, or the certificate of the peer itself, is enough. OpenSSL wants a root by default.
 */
export const trusting = <Certificates>(ca: Certificates) => ({ ca, allowPartialTrustChain: true });
