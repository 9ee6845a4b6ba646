// The test cases of Kubernetes for NodeRestriction, and other attempts of a node.

import { describe, test } from 'vitest';
import { type Case, check, claimVolume, mirrorPod, owner, podOf, projected, volumes } from './test-requests.ts';

const reference = (plural: string) => `node "mynode" can not create pods that reference ${plural}`;
const owned = (...ownerReferences: object[]) => ({ object: mirrorPod({}, { ownerReferences }) });

describe('pods', () => {
  test.each<[string, string, Case, string?]>([
    ['a mirror pod', 'CREATE pods', { object: mirrorPod() }],
    [
      'a pod',
      'CREATE pods',
      { object: podOf('x', 'mynode') },
      'pod does not have "kubernetes.io/config.mirror" annotation, node "mynode" can only create mirror pods',
    ],
    [
      'a mirror pod of another node',
      'CREATE pods',
      { object: mirrorPod({ nodeName: 'othernode' }) },
      'node "mynode" can only create pods with spec.nodeName set to itself',
    ],
    [
      'a mirror pod of no node',
      'CREATE pods',
      { object: mirrorPod({ nodeName: undefined }) },
      'spec.nodeName set to itself',
    ],
    [
      'a mirror pod without an owner',
      'CREATE pods',
      owned(),
      'node "mynode" can only create pods with an owner reference set to itself',
    ],
    ['two owners', 'CREATE pods', owned(owner, owner), 'with a single owner reference set to itself'],
    [
      'another node as owner',
      'CREATE pods',
      owned({ ...owner, name: 'othernode' }),
      'with an owner reference set to itself',
    ],
    ['another kind as owner', 'CREATE pods', owned({ ...owner, kind: 'Pod' }), 'with an owner reference set to itself'],
    [
      'another version of owner',
      'CREATE pods',
      owned({ ...owner, apiVersion: 'v2' }),
      'with an owner reference set to itself',
    ],
    [
      'an owner that does not control',
      'CREATE pods',
      owned({ ...owner, controller: false }),
      'with a controller owner reference set to itself',
    ],
    [
      'an owner that blocks',
      'CREATE pods',
      owned({ ...owner, blockOwnerDeletion: true }),
      'node "mynode" must not set blockOwnerDeletion on an owner reference',
    ],
    [
      'the owner of before',
      'CREATE pods',
      owned({ ...owner, uid: 'x' }),
      'node mynode UID mismatch: expected x got node-uid',
    ],
    [
      'a service account',
      'CREATE pods',
      { object: mirrorPod({ serviceAccountName: 'a' }) },
      reference('serviceaccounts'),
    ],
    ['a secret', 'CREATE pods', { object: mirrorPod(volumes({ secret: { secretName: 's' } })) }, reference('secrets')],
    [
      'a secret in a variable',
      'CREATE pods',
      {
        object: mirrorPod({
          containers: [{ name: 'c', env: [{ name: 'e', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] }],
        }),
      },
      reference('secrets'),
    ],
    [
      'a pull secret',
      'CREATE pods',
      { object: mirrorPod({ imagePullSecrets: [{ name: 's' }] }) },
      reference('secrets'),
    ],
    [
      'a secret without a name',
      'CREATE pods',
      { object: mirrorPod(volumes({ secret: {} })) },
      reference('secrets (via secret volumes)'),
    ],
    [
      'a config map',
      'CREATE pods',
      { object: mirrorPod(volumes({ configMap: { name: 'm' } })) },
      reference('configmaps'),
    ],
    ['a claim', 'CREATE pods', { object: mirrorPod(volumes(claimVolume('c'))) }, reference('persistentvolumeclaims')],
    [
      'an ephemeral volume',
      'CREATE pods',
      { object: mirrorPod(volumes({ ephemeral: {} })) },
      reference('persistentvolumeclaims (via ephemeral volumes)'),
    ],
    [
      'a CSI volume',
      'CREATE pods',
      { object: mirrorPod(volumes({ csi: { driver: 'd' } })) },
      reference('csidrivers (via CSI volumes)'),
    ],
    [
      'a token',
      'CREATE pods',
      { object: mirrorPod(projected({ serviceAccountToken: { path: 't' } })) },
      reference('serviceaccounts (via projected volumes)'),
    ],
    [
      'a trust bundle',
      'CREATE pods',
      { object: mirrorPod(projected({ clusterTrustBundle: { name: 'b' } })) },
      reference('clustertrustbundles'),
    ],
    [
      'a pod certificate',
      'CREATE pods',
      { object: mirrorPod(projected({ podCertificate: {} })) },
      reference('podcertificates'),
    ],
    [
      'a resource claim',
      'CREATE pods',
      { object: mirrorPod({ resourceClaims: [{ name: 'c', resourceClaimName: 'x' }] }) },
      reference('resourceclaims'),
    ],
    [
      'its own volumes',
      'CREATE pods',
      {
        object: mirrorPod(
          volumes(
            { hostPath: { path: '/' } },
            { emptyDir: {} },
            { downwardAPI: {} },
            { projected: { sources: [{ downwardAPI: {} }] } },
          ),
        ),
      },
    ],
    [
      'an unknown volume',
      'CREATE pods',
      { object: mirrorPod(volumes({ strange: {} })) },
      'error checking mirror pod for API references: unknown volume type for volume  "v0"',
    ],
    [
      'an unknown projection',
      'CREATE pods',
      { object: mirrorPod(projected({ strange: {} })) },
      'unknown source for projected volume "v0"',
    ],
    [
      'an update',
      'UPDATE pods',
      { object: podOf('mypod', 'mynode'), old: podOf('mypod', 'mynode') },
      'unexpected operation "UPDATE", node "mynode" can only create and delete mirror pods',
    ],
    ['deletion of its own pod', 'DELETE pods', { old: podOf('mypod', 'mynode') }],
    [
      'deletion of another’s',
      'DELETE pods',
      { old: podOf('otherpod', 'othernode') },
      'node "mynode" can only delete pods with spec.nodeName set to itself',
    ],
    ['deletion of one that is nowhere', 'DELETE pods', { old: podOf('unbound', '') }, 'spec.nodeName set to itself'],
    ['eviction of its own pod', 'CREATE pods/eviction', { name: 'mypod', object: podOf('', '') }],
    [
      'eviction of another’s',
      'CREATE pods/eviction',
      { name: 'otherpod', object: podOf('', '') },
      'node mynode can only evict pods with spec.nodeName set to itself',
    ],
    [
      'eviction of one that is nowhere',
      'CREATE pods/eviction',
      { name: 'unbound', object: podOf('', '') },
      'spec.nodeName set to itself',
    ],
    [
      'eviction of one that does not exist',
      'CREATE pods/eviction',
      { name: 'nothing', object: podOf('', '') },
      'pods "nothing" not found',
    ],
    [
      'ephemeral containers',
      'UPDATE pods/ephemeralcontainers',
      { object: podOf('mypod', 'mynode'), old: podOf('mypod', 'mynode') },
      `unexpected pod subresource "ephemeralcontainers", only 'status' and 'eviction' are allowed`,
    ],
    [
      'resize',
      'UPDATE pods/resize',
      { object: podOf('mypod', 'mynode'), old: podOf('mypod', 'mynode') },
      'unexpected pod subresource "resize"',
    ],
  ])('%s', (_, text, given, refusal) => check(text, given, refusal));

  const mypod = podOf('mypod', 'mynode', { labels: { a: '1' } });
  const withStatus = (status: object) => ({ ...mypod, status });
  test.each<[string, Case, string?]>([
    ['of its own pod', { object: withStatus({ phase: 'Running' }), old: mypod }],
    [
      'of another’s',
      { object: podOf('otherpod', 'othernode'), old: podOf('otherpod', 'othernode') },
      'node "mynode" can only update pod status for pods with spec.nodeName set to itself',
    ],
    [
      'with a new label',
      { object: podOf('mypod', 'mynode', { labels: { a: '1', b: '2' } }), old: mypod },
      'node "mynode" cannot update labels through pod status',
    ],
    [
      'with a changed label',
      { object: podOf('mypod', 'mynode', { labels: { a: '2' } }), old: mypod },
      'cannot update labels through pod status',
    ],
    ['without a label', { object: podOf('mypod', 'mynode'), old: mypod }, 'cannot update labels through pod status'],
    [
      'with a claim',
      { object: withStatus({ resourceClaimStatuses: [{ name: 'a', resourceClaimName: 'b' }] }), old: mypod },
      'node "mynode" cannot update resource claim statues',
    ],
    [
      'with an extended claim',
      { object: withStatus({ extendedResourceClaimStatus: { resourceClaimName: 'b' } }), old: mypod },
      'node "mynode" cannot update extended resource claim status',
    ],
  ])('status %s', (_, given, refusal) => check('UPDATE pods/status', given, refusal));
});
