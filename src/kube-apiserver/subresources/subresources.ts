// Subresources that do more than write a part of their object. The others (status, finalize, resize, ...) go through
// the registry's verbs.

import type { Target } from '../registry/target.ts';
import type { Reply } from '../request.ts';
import { binding } from './binding.ts';
import { connects } from './connect.ts';
import { eviction } from './eviction.ts';
import { scale } from './scale.ts';
import { token } from './token.ts';

export interface Subresource {
  /** True when the subresource looks at the verb itself. */
  readonly anyVerb?: boolean;
  answer(target: Target): Promise<Reply>;
}

/** By resource and name; `*` stands for every resource. */
export const subresources: Readonly<Record<string, Subresource>> = {
  '*/scale': scale,
  'pods/binding': binding,
  'pods/eviction': eviction,
  'serviceaccounts/token': token,
  ...connects,
};
