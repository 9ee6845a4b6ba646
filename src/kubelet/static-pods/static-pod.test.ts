import { describe, expect, test } from 'vitest';
import { staticPod } from './static-pod.ts';

const source = { place: '/manifests/web.yaml', nodeName: 'node-1' };
const container = { name: 'main', image: 'example.com/app:1' };
const text = (spec: object = {}, metadata: object = {}, more: object = {}) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: 'web', ...metadata },
    spec: { containers: [container], ...spec },
    ...more,
  });
const uidOf = (content: string, from = source) => staticPod(content, from).metadata.uid;

describe('a static pod', () => {
  test('has the name of its node, a uid, annotations, a toleration and the defaults of the API', () => {
    const { metadata, spec, status } = staticPod(text(), source);
    expect(metadata.uid).toMatch(/^[0-9a-f]{32}$/);
    expect(metadata).toMatchObject({
      ...{ name: 'web-node-1', namespace: 'default' },
      annotations: { 'kubernetes.io/config.hash': metadata.uid, 'kubernetes.io/config.source': 'file' },
    });
    expect(spec).toMatchObject({
      ...{ nodeName: 'node-1', restartPolicy: 'Always', dnsPolicy: 'ClusterFirst', terminationGracePeriodSeconds: 30 },
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
      containers: [{ ...container, imagePullPolicy: 'IfNotPresent' }],
    });
    expect(status?.phase).toBe('Pending');
  });

  test('keeps its namespace, its uid, its labels and its other tolerations', () => {
    const tolerations = [
      { operator: 'Exists', effect: 'NoExecute' },
      { key: 'a', operator: 'Exists' },
    ];
    const { metadata, spec } = staticPod(
      text({ tolerations }, { namespace: 'kube-system', uid: 'own', labels: { tier: 'node' } }),
      source,
    );
    expect(metadata).toMatchObject({ namespace: 'kube-system', uid: 'own', labels: { tier: 'node' } });
    expect(metadata.annotations?.['kubernetes.io/config.hash']).toBe('own');
    expect(spec.tolerations).toEqual([{ key: 'a', operator: 'Exists' }, tolerations[0]]);
  });

  test('loses the fields of an object of the API: the manifest may be a copy of one', () => {
    const ofApi = {
      ...{ creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: '5', generation: 2 },
      ...{ deletionTimestamp: '2026-01-01T00:00:00Z', generateName: 'w' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }],
    };
    const pod = staticPod(text({}, ofApi, { status: { phase: 'Failed' } }), source);
    expect(Object.keys(pod.metadata).sort()).toEqual(['annotations', 'name', 'namespace', 'uid']);
    expect(pod.status?.phase).toBe('Pending');
    expect(pod.metadata.uid).toBe(uidOf(text()));
  });

  test.each([
    { case: 'the same text', content: text(), from: source, isSame: true },
    {
      case: 'YAML with comments and another order',
      content: `# a\nkind: Pod\napiVersion: v1\nspec: {containers: [{image: "example.com/app:1", name: main}]}\nmetadata: {name: web}`,
      from: source,
      isSame: true,
    },
    { case: 'a default that is written out', content: text({ restartPolicy: 'Always' }), from: source, isSame: true },
    { case: 'a field that Kubernetes does not have', content: text({ strange: 1 }), from: source, isSame: true },
    { case: 'a second document', content: `---\n${text()}\n---\nkind: x\n`, from: source, isSame: true },
    { case: 'another label', content: text({}, { labels: { a: 'b' } }), from: source, isSame: false },
    { case: 'another node', content: text(), from: { ...source, nodeName: 'node-2' }, isSame: false },
    { case: 'another file', content: text(), from: { ...source, place: '/x' }, isSame: false },
  ])('has the same uid: $case: $isSame', ({ content, from, isSame }) =>
    expect(uidOf(content, from) === uidOf(text())).toBe(isSame),
  );
});

const volume = (source: object) => ({ volumes: [{ name: 'v', ...source }] });
const reference = (resource: string) => `static pods may not reference ${resource}`;

describe('refused', () => {
  test.each([
    ['an empty file', '', "couldn't parse as pod, please check config file"],
    ['a list', '[1]', "couldn't parse as pod, please check config file"],
    ['no YAML', 'a: [', 'yaml: line 1: did not find expected node content'],
    ['no kind', '{"apiVersion": "v1"}', "couldn't parse as pod: kind is missing, not Pod"],
    ['another kind', text({}, {}, { kind: 'Deployment' }), `couldn't parse as pod: kind is "Deployment", not Pod`],
    ['another version', text({}, {}, { apiVersion: 'v2' }), `couldn't parse as pod: apiVersion is "v2", not v1`],
    ['no name', text({}, { name: '' }), 'invalid pod: name is needed for the pod'],
    ['a path as uid', text({}, { uid: '../x' }), 'invalid pod: metadata.uid "../x"'],
    [
      'a path as namespace',
      text({}, { namespace: '../x' }),
      /metadata.namespace: Invalid value: "\.\.\/x": a lowercase/,
    ],
    ['an invalid name', text({}, { name: 'A_b' }), /^invalid pod: \[metadata.name: Invalid value: "A_b-node-1"/],
    ['no containers', text({ containers: [] }), /^invalid pod: \[spec.containers: Required value/],
    [
      'a wrong type',
      text({ hostNetwork: 'no' }),
      /^couldn't parse as pod: Pod in version "v1" cannot be handled as a Pod/,
    ],
    [
      'a mirror pod',
      text({}, { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
      'invalid pod: a static pod may not have the annotation kubernetes.io/config.mirror',
    ],
    ['a service account', text({ serviceAccountName: 'a' }), reference('serviceaccounts')],
    ['its former field', text({ serviceAccount: 'a' }), reference('serviceaccounts')],
    ['a pull secret', text({ imagePullSecrets: [{ name: 's' }] }), reference('secrets')],
    ['a secret', text(volume({ secret: { secretName: 's' } })), reference('secrets')],
    ['a config map', text(volume({ configMap: { name: 'm' } })), reference('configmaps')],
    [
      'a config map in the environment',
      text({ containers: [{ ...container, envFrom: [{ configMapRef: { name: 'm' } }] }] }),
      reference('configmaps'),
    ],
    ['a claim', text(volume({ persistentVolumeClaim: { claimName: 'c' } })), reference('persistentvolumeclaims')],
    ['a driver', text(volume({ csi: { driver: 'd.example.com' } })), reference('csidrivers (via CSI volumes)')],
    [
      'a resource claim',
      text({ resourceClaims: [{ name: 'c', resourceClaimName: 'x' }] }),
      reference('resourceclaims'),
    ],
    [
      'a bundle of certificates',
      text(volume({ projected: { sources: [{ clusterTrustBundle: { name: 'b', path: 'p' } }] } })),
      reference('clustertrustbundles'),
    ],
  ])('%s', (_case, content, message) => expect(() => staticPod(content, source)).toThrow(message));

  test('aliases that expand without end', () => {
    const rows = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`);
    expect(() => staticPod(`a0: &a0 x\n${rows.join('\n')}\n`, source)).toThrow();
  });
});
