/** A patch that cannot be applied. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  /**
   * `malformed`: it is no patch of its type. `unappliable`: it does not fit the object. `schema`: it does not fit the
   * object's schema.
   */
  readonly kind: 'malformed' | 'unappliable' | 'schema';
  constructor(kind: PatchError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}
