// JSON Patch, RFC 6902.

import { applyPatch, type Operation } from 'rfc6902';
import { PatchError } from './patch-error.ts';

const operations = ['add', 'remove', 'replace', 'move', 'copy', 'test'];

/** A patched copy of `document`. Throws PatchError('unappliable') when an operation is unknown or does not fit. */
export function applyJsonPatch(document: any, patch: readonly any[]): any {
  // rfc6902 works in place, so each operation's container is copied first; the rest stays shared with `document`.
  const copy = structuredClone(document);
  for (const operation of patch) {
    check(operation);
    const [error] = applyPatch(copy, [operation as Operation]);
    if (error) throw new PatchError('unappliable', `${operation.op} ${operation.path}: ${error.message}`);
    if (operation.path === '' && operation.op !== 'test')
      throw new PatchError('unappliable', 'the whole document cannot be replaced');
    checkBounds(copy, operation);
  }
  return copy;
}

function check(operation: any): void {
  if (!operations.includes(operation?.op)) throw new PatchError('unappliable', `Unexpected kind: ${operation?.op}`);
  for (const pointer of [operation.path, operation.op === 'move' || operation.op === 'copy' ? operation.from : '']) {
    if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/')))
      throw new PatchError('unappliable', `not a JSON pointer: ${pointer}`);
  }
}

/** rfc6902 leaves a hole where an index lies beyond the end: RFC 6902 says that is an error. */
function checkBounds(document: any, operation: any): void {
  if (operation.op !== 'add' && operation.op !== 'copy' && operation.op !== 'move') return;
  const segments = operation.path.split('/').slice(1, -1);
  let at = document;
  for (const segment of segments) at = at?.[segment.replaceAll('~1', '/').replaceAll('~0', '~')];
  if (!Array.isArray(at)) return;
  for (let i = 0; i < at.length; i++)
    if (at[i] === undefined) throw new PatchError('unappliable', `index out of bounds: ${operation.path}`);
}
