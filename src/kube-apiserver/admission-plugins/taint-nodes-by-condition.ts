import type { Node } from '../../api/api.ts';
import type { AdmissionPlugin } from '../admission.ts';
import { isAbout } from './subject.ts';

/**
 * A new node takes no pods until the node lifecycle controller has seen it ready.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#taintnodesbycondition
 */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  admit(attributes) {
    if (attributes.operation !== 'CREATE' || !isAbout(attributes, '', 'nodes')) return;
    const node = attributes.object as Node;
    const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;
    const taints = ((node.spec ??= {}).taints ??= []);
    if (!taints.some(({ key, effect }) => key === taint.key && effect === taint.effect)) taints.push(taint);
  },
};
