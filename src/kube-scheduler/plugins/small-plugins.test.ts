// Plugins that need a few cases each.

import { describe, expect, test } from 'vitest';
import type { Node } from '../../api/api.ts';
import { podInfo } from '../pod-info.ts';
import { cacheOf, node, pod, scoresOf, verdictsOf } from '../test-objects.ts';
import { imageLocality } from './image-locality.ts';
import { nodeDeclaredFeatures } from './node-declared-features.ts';
import { nodeName } from './node-name.ts';
import { nodePorts } from './node-ports.ts';
import { nodeUnschedulable } from './node-unschedulable.ts';
import { schedulingGates } from './scheduling-gates.ts';
import { taintToleration } from './taint-toleration.ts';

describe('NodeName', () => {
  const nodes = [node('a'), node('b')];
  const refused = "node(s) didn't match the requested node name";
  test.each([
    { case: 'no node asked for', coming: pod(), verdicts: { a: 'fits', b: 'fits' } },
    { case: 'one node asked for', coming: pod({}, { nodeName: 'a' }), verdicts: { a: 'fits', b: refused } },
    { case: 'a node that does not exist', coming: pod({}, { nodeName: 'c' }), verdicts: { a: refused, b: refused } },
  ])('$case', ({ coming, verdicts }) => expect(verdictsOf(nodeName, coming, cacheOf(nodes))).toEqual(verdicts));
});

describe('NodePorts', () => {
  const port = (hostPort: number, more: object = {}) => ({ hostPort, containerPort: hostPort, ...more });
  const having = (...ports: object[]) => pod({}, { ports });
  const refused = "node(s) didn't have free ports for the requested pod ports";
  test.each([
    { case: 'no host ports', coming: having({ containerPort: 80 }), there: having(port(80)), verdict: 'fits' },
    { case: 'another port', coming: having(port(81)), there: having(port(80)), verdict: 'fits' },
    { case: 'the same port', coming: having(port(80)), there: having(port(80)), verdict: refused },
    { case: 'one of two', coming: having(port(81), port(80)), there: having(port(80)), verdict: refused },
    {
      case: 'another protocol',
      coming: having(port(80, { protocol: 'UDP' })),
      there: having(port(80)),
      verdict: 'fits',
    },
    {
      case: 'another address',
      coming: having(port(80, { hostIP: '10.0.0.1' })),
      there: having(port(80, { hostIP: '10.0.0.2' })),
      verdict: 'fits',
    },
    {
      case: 'every address against one',
      coming: having(port(80)),
      there: having(port(80, { hostIP: '10.0.0.2' })),
      verdict: refused,
    },
    {
      case: 'one address against every',
      coming: having(port(80, { hostIP: '10.0.0.2' })),
      there: having(port(80, { hostIP: '0.0.0.0' })),
      verdict: refused,
    },
  ])('$case: $verdict', ({ coming, there, verdict }) =>
    expect(verdictsOf(nodePorts, coming, cacheOf([node('n')], [['n', there]]))).toEqual({ n: verdict }),
  );
});

describe('NodeUnschedulable', () => {
  const toleration = { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' };
  const refused = 'node(s) were unschedulable';
  test.each([
    { case: 'an open node', coming: pod(), on: node('n'), verdict: 'fits' },
    { case: 'a cordoned node', coming: pod(), on: node('n', { unschedulable: true }), verdict: refused },
    {
      case: 'a pod that tolerates it',
      coming: pod({}, { tolerations: [toleration] }),
      on: node('n', { unschedulable: true }),
      verdict: 'fits',
    },
    {
      case: 'a pod that tolerates another taint',
      coming: pod({}, { tolerations: [{ ...toleration, key: 'x' }] }),
      on: node('n', { unschedulable: true }),
      verdict: refused,
    },
  ])('$case: $verdict', ({ coming, on, verdict }) =>
    expect(verdictsOf(nodeUnschedulable, coming, cacheOf([on]))).toEqual({ n: verdict }),
  );
});

describe('SchedulingGates', () => {
  test.each([
    { gates: undefined, waits: undefined },
    { gates: [], waits: undefined },
    { gates: [{ name: 'a' }, { name: 'b' }], waits: 'waiting for scheduling gates: [a b]' },
  ])('$gates: $waits', ({ gates, waits }) =>
    expect(schedulingGates.preEnqueue?.(pod({}, { schedulingGates: gates }), cacheOf([]))).toBe(waits),
  );
});

describe('ImageLocality', () => {
  const mb = 1024 * 1024;
  const image = (sizeBytes: number, ...names: string[]) => ({ names, sizeBytes });
  const having = (name: string, ...images: object[]) => {
    const one = node(name);
    return { ...one, status: { ...one.status, images } } as typeof one;
  };
  const using = (...images: string[]) => pod({}, { containers: images.map((name) => ({ name: 'c', image: name })) });
  const nodes = [
    having(
      'a',
      image(40 * mb, 'gcr.io/40:latest'),
      image(300 * mb, 'gcr.io/300:latest'),
      image(2000 * mb, 'gcr.io/2000:latest'),
    ),
    having('b', image(250 * mb, 'gcr.io/250:latest'), image(10 * mb, 'gcr.io/10:v1')),
  ];
  test.each([
    { case: 'a small and a large image', coming: using('gcr.io/40', 'gcr.io/250'), scores: { a: 0, b: 5 } },
    { case: 'two images of one node', coming: using('gcr.io/40', 'gcr.io/300'), scores: { a: 7, b: 0 } },
    { case: 'an image below the lower bound', coming: using('gcr.io/10:v1'), scores: { a: 0, b: 0 } },
    { case: 'an image at the upper bound', coming: using('gcr.io/2000'), scores: { a: 100, b: 0 } },
    {
      case: 'an image volume',
      coming: pod(
        {},
        { containers: [{ name: 'c', image: 'x' }], volumes: [{ name: 'v', image: { reference: 'gcr.io/300' } }] },
      ),
      scores: { a: 6, b: 0 },
    },
    { case: 'images that no node has', coming: using('gcr.io/other'), scores: undefined },
  ])('$case', ({ coming, scores }) => expect(scoresOf(imageLocality, coming, cacheOf(nodes))).toEqual(scores));
});

describe('NodeDeclaredFeatures', () => {
  const declaring = (name: string, ...declaredFeatures: string[]) => {
    const one = node(name);
    return { ...one, status: { ...one.status, declaredFeatures } } as typeof one;
  };
  const nodes = [
    declaring('none'),
    declaring('restarts', 'RestartAllContainersOnContainerExits'),
    declaring('both', 'RestartAllContainersOnContainerExits', 'UserNamespacesHostNetworkSupport'),
  ];
  const refused = "node(s) didn't match Pod's required features";
  const rules = [{ action: 'RestartAllContainers', exitCodes: { operator: 'In', values: [1] } }];
  const restarting = pod({}, { initContainers: [{ name: 'i', image: 'x', restartPolicyRules: rules }] });
  const hostUser = pod({}, { hostNetwork: true, hostUsers: false });
  test.each([
    { case: 'no features', coming: pod({}, { hostNetwork: true }), verdicts: ['fits', 'fits', 'fits'] },
    { case: 'a rule to restart all containers', coming: restarting, verdicts: [refused, 'fits', 'fits'] },
    { case: 'user namespaces with the host network', coming: hostUser, verdicts: [refused, refused, 'fits'] },
  ])('$case', ({ coming, verdicts }) =>
    expect(Object.values(verdictsOf(nodeDeclaredFeatures, coming, cacheOf(nodes)))).toEqual(verdicts),
  );
  test.each([
    { case: 'a node with the feature', event: { type: 'node-added', node: nodes[1] }, wakes: true },
    { case: 'a node without it', event: { type: 'node-added', node: nodes[0] }, wakes: false },
    {
      case: 'a node that got it',
      event: { type: 'node-changed', node: nodes[1], old: nodes[0], aspects: ['features'] },
      wakes: true,
    },
    {
      case: 'other changes of such a node',
      event: { type: 'node-changed', node: nodes[1], old: nodes[1], aspects: ['labels'] },
      wakes: false,
    },
  ])('$case: looks again: $wakes', ({ event, wakes }) =>
    expect(nodeDeclaredFeatures.wakes?.(event as never, podInfo(restarting), cacheOf([]))).toBe(wakes),
  );
});

describe('looks again', () => {
  const cordoned = node('n', { unschedulable: true });
  const tainted = node('n', { taints: [{ key: 'a', value: 'b', effect: 'NoSchedule' }] });
  const changed = (old: Node, now: Node) => ({ type: 'node-changed', old, node: now, aspects: ['taints'] });
  const waiting = pod({}, { nodeName: 'n', ports: [{ hostPort: 80, containerPort: 80 }] });
  const tolerating = (tolerations: object[]) => ({ ...waiting, spec: { ...waiting.spec, tolerations } });
  const updated = (now: object) => ({ type: 'pod-updated', pod: now, old: waiting });
  const gone = (port: object) => ({ type: 'pod-gone', pod: pod({}, { ports: [port] }) });
  const exists = [{ operator: 'Exists' }];
  test.each([
    { plugin: nodeName, event: { type: 'node-added', node: node('n') }, case: 'its node comes', wakes: true },
    { plugin: nodeName, event: { type: 'node-added', node: node('m') }, case: 'another node comes', wakes: false },
    { plugin: nodePorts, event: { type: 'node-added', node: node('m') }, case: 'a node comes', wakes: true },
    { plugin: nodePorts, event: gone({ hostPort: 80 }), case: 'a pod with the port is gone', wakes: true },
    { plugin: nodePorts, event: gone({ hostPort: 81 }), case: 'a pod with another port is gone', wakes: false },
    {
      ...{ plugin: nodePorts, event: gone({ hostPort: 80, protocol: 'UDP' }), wakes: false },
      case: 'a pod with the port of another protocol is gone',
    },
    { plugin: nodeUnschedulable, event: { type: 'node-added', node: node('m') }, case: 'a node comes', wakes: true },
    {
      plugin: nodeUnschedulable,
      event: { type: 'node-added', node: cordoned },
      case: 'a cordoned node comes',
      wakes: false,
    },
    { plugin: nodeUnschedulable, event: changed(cordoned, node('n')), case: 'a node is uncordoned', wakes: true },
    { plugin: nodeUnschedulable, event: changed(node('n'), cordoned), case: 'a node is cordoned', wakes: false },
    { plugin: nodeUnschedulable, event: changed(tainted, node('n')), case: 'a taint goes', wakes: false },
    { plugin: nodeUnschedulable, event: updated(tolerating(exists)), case: 'it tolerates all', wakes: true },
    { plugin: nodeUnschedulable, event: updated(tolerating([])), case: 'it tolerates no more', wakes: false },
    { plugin: taintToleration, event: { type: 'node-added', node: node('m') }, case: 'a node comes', wakes: true },
    {
      plugin: taintToleration,
      event: { type: 'node-added', node: tainted },
      case: 'a tainted node comes',
      wakes: false,
    },
    { plugin: taintToleration, event: changed(tainted, node('n')), case: 'a taint goes', wakes: true },
    { plugin: taintToleration, event: changed(node('n'), tainted), case: 'a taint comes', wakes: false },
    { plugin: taintToleration, event: changed(node('n'), cordoned), case: 'a node is cordoned', wakes: false },
    { plugin: taintToleration, event: updated(tolerating([])), case: 'the pod changes', wakes: true },
    { plugin: taintToleration, event: { ...updated(pod()), old: pod() }, case: 'another pod changes', wakes: false },
  ])('$plugin.name: $case: $wakes', ({ plugin, event, wakes }) =>
    expect(plugin.wakes?.(event as never, podInfo(waiting), cacheOf([]))).toBe(wakes),
  );
});
