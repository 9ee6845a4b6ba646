/** Objects of kinds that keep empty lists and maps until they are stored, without any. */
const storedForms = new WeakSet<object>();

/** Whether the canonical object is known to be as it is stored. */
export const isStoredForm = (object: object): boolean => storedForms.has(object);

export function markStoredForm(object: object, isStored: boolean): void {
  if (isStored) storedForms.add(object);
  else storedForms.delete(object);
}
