/** The error of a runtime call; `message` is suitable for events and container statuses. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly kind: 'not-found' | 'image' | 'create' | 'start' | 'timeout' | 'sandbox' | 'unavailable' | 'unimplemented';
  constructor(kind: RuntimeError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
