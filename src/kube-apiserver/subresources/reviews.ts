// Kinds that are answered and not stored.

import type { Target } from '../registry/target.ts';
import type { Reply } from '../request.ts';

export const reviews: Readonly<Record<string, (target: Target) => Promise<Reply>>> = {};
