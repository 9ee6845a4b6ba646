/** A patch that cannot be applied. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  /**
   * `malformed`: not a patch of its type. `unappliable`: does not fit the object. `schema`: does not fit the object's
   * schema. `untrue`: a `test` operation of the patch has failed.
   */
  readonly kind: 'malformed' | 'unappliable' | 'schema' | 'untrue';
  constructor(kind: PatchError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}
