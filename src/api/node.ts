// Predicates on nodes, shared by components.

import { isConditionTrue } from './conditions.ts';
import type { Node } from './generated/types.ts';

export const isNodeReady = (node: Node): boolean => isConditionTrue(node, 'Ready');
