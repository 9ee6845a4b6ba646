// Verbs that mean something of their own for one resource.

import type { Target } from '../registry/target.ts';
import type { Reply } from '../request.ts';

export const whole: Readonly<Record<string, Readonly<Record<string, (target: Target) => Promise<Reply>>>>> = {};
