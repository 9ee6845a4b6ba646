// What each kind does beside what its schema says: one line a kind, in the file named after it.

import type { KindBehaviour } from '../kind.ts';

/** By resource: `plural` or `plural.group`, with `/version` where versions differ. */
export const behaviours: Readonly<Record<string, KindBehaviour>> = {};
