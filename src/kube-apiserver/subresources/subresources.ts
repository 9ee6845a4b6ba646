// Subresources that do more than write a part of their object. The others (status, finalize, resize, ...) go through
// the registry's verbs, with the rules of their kind (Strategy.subresources).

import { binding } from './binding.ts';
import { connects } from './connect.ts';
import { eviction } from './eviction.ts';
import { scale } from './scale.ts';
import type { Connect, Subresource } from './subresource.ts';
import { token } from './token.ts';

/** By resource and name; `*` matches every resource. */
const subresources: Readonly<Record<string, Subresource | Connect>> = {
  '*/scale': scale,
  'pods/binding': binding,
  'pods/eviction': eviction,
  'serviceaccounts/token': token,
  ...connects,
};

export const specialSubresource = (resource: string, subresource: string): Subresource | Connect | undefined =>
  subresources[`${resource}/${subresource}`] ?? subresources[`*/${subresource}`];
