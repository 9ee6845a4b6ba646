import { forbidden, ignoreNotFound, type Namespace, notFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import { labelValueFaults, qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../admission.ts';
import { plainError } from '../status.ts';
import { writtenPod } from './subject.ts';

const annotation = 'scheduler.alpha.kubernetes.io/node-selector';

/** Selectors as key=value pairs: of namespaces, and of the rest as clusterDefaultNodeSelector. */
export type NodeSelectors = Readonly<Record<string, string>>;
type Labels = Readonly<Record<string, string>>;

/**
 * Binds the pods of a namespace to some of the nodes.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#podnodeselector
 */
export function podNodeSelector(client: () => Client, selectors: NodeSelectors = {}): AdmissionPlugin {
  const judge = async (attributes: AdmissionAttributes, sets: boolean) => {
    const pod = writtenPod(attributes);
    if (!pod || attributes.operation !== 'CREATE') return;
    const { kind, namespace } = attributes;
    const found = await client().get('namespaces', { name: namespace }).catch(ignoreNotFound);
    if (!found) throw notFound({ group: '', resource: 'namespaces' }, namespace);
    const wanted = selectorOf(found, selectors);
    const own: Labels = pod.spec.nodeSelector ?? {};
    const refuse = (why: string) => forbidden(kind, pod.metadata.name ?? '', why);
    if (Object.entries(own).some(([key, value]) => wanted[key] !== undefined && wanted[key] !== value))
      throw refuse('pod node label selector conflicts with its namespace node label selector');
    const selector = sets ? { ...wanted, ...own } : own;
    if (sets && Object.keys(selector).length) pod.spec.nodeSelector = selector;
    const allowed = labelsIn(selectors[namespace] ?? '');
    if (Object.keys(allowed).length && Object.entries(selector).some(([key, value]) => allowed[key] !== value))
      throw refuse('pod node label selector labels conflict with its namespace whitelist');
  };
  return {
    name: 'PodNodeSelector',
    admit: (attributes) => (writtenPod(attributes) ? judge(attributes, true) : undefined),
    validate: (attributes) => (writtenPod(attributes) ? judge(attributes, false) : undefined),
  };
}

const selectorOf = ({ metadata }: Namespace, selectors: NodeSelectors): Labels =>
  labelsIn(metadata.annotations?.[annotation] ?? selectors.clusterDefaultNodeSelector ?? '');

/** Throws for a text that is no list of key=value. */
function labelsIn(selector: string): Labels {
  if (!selector) return {};
  return Object.fromEntries(
    selector.split(',').map((pair) => {
      const parts = pair.split('=');
      if (parts.length !== 2) throw plainError(`invalid selector: [${parts.join(' ')}]`);
      const [key, value] = parts.map((part) => part.trim());
      const keyFaults = qualifiedNameFaults(key);
      if (keyFaults.length) throw plainError(`key: Invalid value: ${JSON.stringify(key)}: ${keyFaults.join('; ')}`);
      const faults = labelValueFaults(value);
      if (faults.length)
        throw plainError(`values[0][${key}]: Invalid value: ${JSON.stringify(value)}: ${faults.join('; ')}`);
      return [key, value];
    }),
  );
}
