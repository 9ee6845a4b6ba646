import { admit, admitFinally } from '../admission.ts';
import { connectionAttributes } from '../registry/attributes.ts';
import type { Operation } from '../registry/operation.ts';

/** Admission of a connection to a pod, a service or a node. */
export async function admitConnection(operation: Operation): Promise<void> {
  const attributes = connectionAttributes(operation);
  await admit(operation.server.admission, attributes);
  await admitFinally(operation.server.admission, attributes);
}
