import type { Kind } from '../../api/api.ts';
import type { Operation, Target } from '../registry/operation.ts';
import type { Action } from '../registry/registry.ts';
import type { WriteContent } from '../registry/write/create.ts';
import type { Reply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';
import { methodRefused } from '../status.ts';

/** A subresource that does more than write a part of its object. */
export interface Subresource {
  /** The kind of its documents, if patches apply to those and not to the object. */
  readonly document?: Kind;
  answer(target: Target, action: Action): Promise<Reply>;
}

/** A subresource that passes the request on to a node, a pod or a service. */
export interface Connect {
  /** True if it checks the verb itself. */
  readonly anyVerb?: boolean;
  connect(target: Target, request: ApiRequest): Promise<Reply>;
}

/** The content of a POST. Throws a 405 for any other verb. */
export function created(action: Action): WriteContent {
  if (action.verb !== 'create') throw methodRefused();
  return action.content;
}

/** A kind that is answered and not stored. */
export type Review = (operation: Operation, action: Action) => Promise<Reply>;
