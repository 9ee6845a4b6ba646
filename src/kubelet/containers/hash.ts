import { createHash } from 'node:crypto';
import type { Container } from '../../api/api.ts';

/** The hash of a container's definition: a changed hash means a restart. */
export const hashOf = (container: Container): string =>
  createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 16);
