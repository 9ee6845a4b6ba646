import type { Plugin } from '../framework.ts';

const rejection = { reason: "node(s) didn't match the requested node name", resolvable: false };

/** A pod that names its node takes no other. */
export const nodeName: Plugin = {
  name: 'NodeName',
  prepareFilter: ({ pod: { spec } }) =>
    spec.nodeName ? { filter: (node) => (node.name === spec.nodeName ? undefined : rejection) } : 'skip',
  wakes: (event, { pod }) => event.type === 'node-added' && event.node.metadata.name === pod.spec.nodeName,
};
