// Predicates on nodes, shared by components.

import type { Node } from '../generated/types.ts';
import { isConditionTrue } from './conditions.ts';

export const isNodeReady = (node: Node): boolean => isConditionTrue(node, 'Ready');

const userPrefix = 'system:node:';

/** The user that the kubelet of a node is. */
export const userOfNode = (node: string): string => userPrefix + node;

/** The node of a kubelet's user; undefined for another user. */
export const nodeOfUser = (user: string): string | undefined =>
  user.startsWith(userPrefix) ? user.slice(userPrefix.length) : undefined;
