// Predicates on nodes, shared by components.

import type { Node } from '../generated/types.ts';
import { isConditionTrue } from './conditions.ts';

export const isNodeReady = (node: Node): boolean => isConditionTrue(node, 'Ready');
