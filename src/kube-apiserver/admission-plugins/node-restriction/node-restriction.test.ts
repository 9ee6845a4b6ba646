// The test cases of Kubernetes for NodeRestriction, and other attempts of a node.

import { describe, test } from 'vitest';
import type { ApiObject } from '../../../api/api.ts';
import { type Case, check, podOf } from './test-requests.ts';

describe('the rest', () => {
  const named = (name: string, spec: object = {}): ApiObject => ({ metadata: { name } as ApiObject['metadata'], spec });
  const lease = 'leases.coordination.k8s.io';
  const here = { namespace: 'kube-node-lease' };
  const slice = 'resourceslices.resource.k8s.io';
  const claim = (status: object, metadata: object = {}): ApiObject => ({
    metadata: { name: 'c', ...metadata } as ApiObject['metadata'],
    spec: { volumeName: 'v' },
    status,
  });
  test.each<[string, Case, string?]>([
    [`CREATE ${lease}`, { ...here, object: named('mynode') }],
    [`UPDATE ${lease}`, { ...here, object: named('mynode'), old: named('mynode') }],
    [`DELETE ${lease}`, { ...here, old: named('mynode') }],
    [
      `CREATE ${lease}`,
      { object: named('mynode') },
      'can only access leases in the "kube-node-lease" system namespace',
    ],
    [
      `CREATE ${lease}`,
      { ...here, object: named('x') },
      'can only access node lease with the same name as the requesting node',
    ],
    [`DELETE ${lease}`, { ...here, old: named('x') }, 'with the same name as the requesting node'],
    ['CREATE csinodes.storage.k8s.io', { object: named('mynode') }],
    [
      'CREATE csinodes.storage.k8s.io',
      { object: named('x') },
      'can only access CSINode with the same name as the requesting node',
    ],
    [
      'DELETE csinodes.storage.k8s.io',
      { old: named('x') },
      'can only access CSINode with the same name as the requesting node',
    ],
    [`CREATE ${slice}`, { object: named('s', { nodeName: 'mynode' }) }],
    [
      `CREATE ${slice}`,
      { object: named('s', { nodeName: 'x' }) },
      'can only create ResourceSlice with the same NodeName as the requesting node',
    ],
    [`CREATE ${slice}`, { object: named('s', { allNodes: true }) }, 'can only create ResourceSlice'],
    [`DELETE ${slice}`, { old: named('s', { nodeName: 'mynode' }) }],
    [
      `DELETE ${slice}`,
      { old: named('s') },
      'can only delete ResourceSlice with the same NodeName as the requesting node',
    ],
    [
      'UPDATE persistentvolumeclaims/status',
      {
        object: claim({ capacity: { storage: '2' }, conditions: [], allocatedResources: { storage: '2' } }),
        old: claim({}),
      },
    ],
    [
      'UPDATE persistentvolumeclaims/status',
      { object: claim({ phase: 'Lost' }), old: claim({}) },
      'is not allowed to update fields other than status.quantity and status.conditions',
    ],
    [
      'UPDATE persistentvolumeclaims/status',
      { object: claim({}, { labels: { a: 'b' } }), old: claim({}) },
      'is not allowed to update fields other than',
    ],
    ['UPDATE persistentvolumeclaims', { object: claim({}), old: claim({}) }, 'may only update PVC status'],
    ['CREATE configmaps', { object: named('x') }],
    ['DELETE configmaps', { old: named('x') }],
    ['CREATE pods', { user: { name: 'bob', groups: [] }, object: podOf('x', '') }],
    [
      'CREATE pods',
      { user: { name: 'system:node:', groups: ['system:nodes'] }, object: podOf('x', '') },
      'could not determine node from user "system:node:"',
    ],
  ])('%s', (text, given, refusal) => check(text, given, refusal));

  const csr = 'certificatesigningrequests.certificates.k8s.io';
  /** By openssl: -subj /O=system:nodes/CN=system:node:mynode, and with the name of another node. */
  const mine = `-----BEGIN CERTIFICATE REQUEST-----
MIHuMIGWAgEAMDQxFTATBgNVBAoMDHN5c3RlbTpub2RlczEbMBkGA1UEAwwSc3lz
dGVtOm5vZGU6bXlub2RlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsoMcQhWn
3+YlHY1ltwJiuuPObTNofdlQeLIWfJfY0QL6aCLeqrM4KFo45tdoPRvWm1IYnXAc
g/BFwPq6sCs4TKAAMAoGCCqGSM49BAMCA0cAMEQCIHniblVoN1mtFP8oL4L7HUYC
GuQq59HvDry4VCSKXsoJAiAKtKSJdzB6upieW5FDd9m8ATsd9iH36AN65qx4H3vU
4Q==
-----END CERTIFICATE REQUEST-----
`;
  const other = `-----BEGIN CERTIFICATE REQUEST-----
MIHyMIGZAgEAMDcxFTATBgNVBAoMDHN5c3RlbTpub2RlczEeMBwGA1UEAwwVc3lz
dGVtOm5vZGU6b3RoZXJub2RlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2Nz7
x2UCFn9F98BK6IQX8z6aqj6YZdIm5F+5HTy7M4UhGFJ/+8xFwXffR4URYZ+Ii9r9
wsfg/HoNFJjIp5sNDqAAMAoGCCqGSM49BAMCA0gAMEUCIQCvic/65OyolSlENGWc
WbN1RQsToWD6gRna3gcPVRc7vAIgO+gW8kKC0yj0LK5TPNDNAcNPcr2IZV+6w/cM
/qGceww=
-----END CERTIFICATE REQUEST-----
`;
  const request = (signerName: string, pem: string): Case => ({
    object: named('r', { signerName, request: btoa(pem) }),
  });
  const client = 'kubernetes.io/kube-apiserver-client-kubelet';
  test.each<[string, Case, string?]>([
    ['its own client certificate', request(client, mine)],
    ['its own serving certificate', request('kubernetes.io/kubelet-serving', mine)],
    [
      'a client certificate of another',
      request(client, other),
      'can only create a node CSR with CN=system:node:mynode',
    ],
    [
      'a serving certificate of another',
      request('kubernetes.io/kubelet-serving', other),
      'can only create a node CSR with CN=system:node:mynode',
    ],
    ['a certificate of another signer', request('example.com/x', other)],
    [
      'a text that is no request',
      request(client, 'x'),
      'unable to parse csr: PEM block type must be CERTIFICATE REQUEST',
    ],
  ])('%s', (_, given, refusal) => check(`CREATE ${csr}`, given, refusal));
});
