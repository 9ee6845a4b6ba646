/** The nonce of this page: libraries put it on the styles that they add. */
export const styleNonce = (): string =>
  document.querySelector<HTMLMetaElement>('meta[name=coracle]')?.dataset['nonce'] ?? '';
