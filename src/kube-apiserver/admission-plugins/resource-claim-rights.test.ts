import { expect, test } from 'vitest';
import { notFound } from '../../api/api.ts';
import type { Attributes } from '../access/authorization.ts';
import type { AdmissionAttributes } from '../admission.ts';
import type { UserInfo } from '../request/user.ts';
import { resourceClaimRights } from './resource-claim-rights.ts';

const client = {
  async get(_: string, { name }: { name: string }) {
    if (name === 'nowhere') throw notFound({ group: '', resource: 'namespaces' }, name);
    return { metadata: { name, labels: name === 'admin' ? { 'resource.kubernetes.io/admin-access': 'true' } : {} } };
  },
};
const plugin = resourceClaimRights(() => client as never);

const driver: UserInfo = {
  name: 'system:serviceaccount:kube-system:driver',
  groups: [],
  extra: { 'authentication.kubernetes.io/node-name': ['n1'] },
};

interface Case {
  readonly operation?: 'CREATE' | 'UPDATE';
  readonly resource?: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly isPatch?: boolean;
  readonly user?: UserInfo;
  readonly object?: object;
  readonly old?: object;
  /** "verb subresource namespace/name" */
  readonly granted?: readonly string[];
}

async function refusal({ object = {}, old = {}, granted = [], ...given }: Case): Promise<string | undefined> {
  const authorize = ({ verb, subresource, namespace, name }: Attributes) => ({
    decision: granted.includes(`${verb} ${subresource} ${namespace}/${name}`) ? 'allow' : 'no-opinion',
  });
  const { operation = 'UPDATE', resource = 'resourceclaims', subresource = 'status' } = given;
  const attributes = {
    server: { authorizers: [{ name: 'test', authorize }] },
    kind: { group: 'resource.k8s.io', version: 'v1', kind: 'ResourceClaim', resource },
    name: 'c',
    namespace: 'ns',
    user: driver,
    isPatch: false,
    ...given,
    operation,
    subresource,
    object: { metadata: { name: 'c' }, ...object },
    oldObject: { metadata: { name: 'c' }, ...old },
  };
  const faults = await plugin.faults?.(attributes as unknown as AdmissionAttributes);
  return faults?.length ? faults.map(({ field, message }) => `${field}: ${message}`).join(', ') : undefined;
}

const on = (node: string) => ({
  nodeSelector: {
    nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
  },
});
const device = (data = 'a', name = 'gpu.test') => ({ driver: name, pool: 'p', device: 'd', data });
const status = (allocation: object | undefined, ...devices: object[]) => ({ status: { allocation, devices } });
const adminRequest = { spec: { devices: { requests: [{ name: 'a', exactly: { adminAccess: true } }] } } };
const adminResult = { devices: { results: [{ request: 'a', adminAccess: true }] } };
const binds =
  'changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="update" permission';
const reports = (verbs: string) =>
  `changing status.devices requires resource="resourceclaims/driver", verb="[${verbs}]" permission`;
const label = 'admin access to devices requires the `resource.kubernetes.io/admin-access: true` label';

test.each<[string, Case, string?]>([
  ['no change', {}],
  ['binding', { object: status(on('n1')) }, binds],
  ['binding, with the right', { object: status(on('n1')), granted: ['update binding /'] }],
  ['binding, with the right of a namespace', { object: status(on('n1')), granted: ['update binding ns/'] }, binds],
  [
    'binding by a patch',
    { object: status(on('n1')), isPatch: true, granted: ['update binding /'] },
    'verb="patch" permission',
  ],
  ['a reservation', { object: { status: { reservedFor: [{ name: 'p' }] } } }, binds],
  ['release', { old: status(on('n1')), object: status(undefined) }, binds],
  [
    'a report without a right',
    { old: status(on('n1')), object: status(on('n1'), device()) },
    reports('associated-node:update arbitrary-node:update'),
  ],
  [
    'a report of its own node',
    {
      old: status(on('n1')),
      object: status(on('n1'), device()),
      granted: ['associated-node:update driver ns/gpu.test'],
    },
  ],
  [
    'a report of another node',
    {
      old: status(on('n2')),
      object: status(on('n2'), device()),
      granted: ['associated-node:update driver ns/gpu.test'],
    },
    reports('arbitrary-node:update'),
  ],
  [
    'a report of another node, with the right',
    {
      old: status(on('n2')),
      object: status(on('n2'), device()),
      granted: ['arbitrary-node:update driver ns/gpu.test'],
    },
  ],
  [
    'a report for another driver',
    {
      old: status(on('n1')),
      object: status(on('n1'), device('a', 'net.test')),
      granted: ['associated-node:update driver ns/gpu.test'],
    },
    'cannot associated-node:update resource "resourceclaims/driver"',
  ],
  [
    'a changed report',
    { old: status(on('n1'), device()), object: status(on('n1'), device('b')) },
    reports('associated-node:update arbitrary-node:update'),
  ],
  [
    'a removed report',
    { old: status(on('n1'), device()), object: status(on('n1')) },
    reports('associated-node:update arbitrary-node:update'),
  ],
  ['a kept report', { old: status(on('n1'), device()), object: status(on('n1'), device()) }],
  [
    'a report by a user of no node',
    {
      user: { name: 'jane', groups: [] },
      old: status(on('n1')),
      object: status(on('n1'), device()),
      granted: ['associated-node:update driver ns/gpu.test'],
    },
    reports('arbitrary-node:update'),
  ],
  [
    'a request for used devices',
    { operation: 'CREATE', subresource: '', object: adminRequest },
    `spec.devices.requests[0].adminAccess: Forbidden: ${label}`,
  ],
  [
    'a request for used devices where it is allowed',
    { operation: 'CREATE', subresource: '', namespace: 'admin', object: adminRequest },
  ],
  [
    'such a request in a template',
    { operation: 'CREATE', subresource: '', resource: 'resourceclaimtemplates', object: { spec: adminRequest } },
    `spec.devices.requests[0].adminAccess: Forbidden: ${label}`,
  ],
  [
    'used devices in a status',
    { object: { status: { allocation: adminResult } }, granted: ['update binding /'] },
    `status.allocation.devices.results[0].adminAccess: Forbidden: ${label}`,
  ],
  [
    'used devices that are there already',
    { old: { status: { allocation: adminResult } }, object: { status: { allocation: adminResult } } },
  ],
  [
    'an ordinary request',
    { operation: 'CREATE', subresource: '', object: { spec: { devices: { requests: [{ name: 'a', exactly: {} }] } } } },
  ],
  ['a claim without a spec', { operation: 'CREATE', subresource: '' }],
])('%s', async (_, given, wanted) => {
  const answer = await refusal(given);
  if (wanted === undefined) expect(answer).toBeUndefined();
  else expect(answer).toContain(wanted);
});
