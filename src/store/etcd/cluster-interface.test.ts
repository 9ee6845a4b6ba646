import { expect, test } from 'vitest';
import { EtcdError } from './cluster-interface.ts';

test.each([
  ['etcdserver: too many learner members in cluster', 'too many learners'],
  ['etcdserver: unhealthy cluster', 'members are down'],
  ['etcdserver: re-configuration failed due to not enough started members', 'members are down'],
  ['etcdserver: no leader', 'no leader'],
  ['etcdserver: leader changed', 'no leader'],
  ['etcdserver: request timed out', 'no leader'],
  ['etcdserver: can only promote a learner member', undefined],
  ['etcdserver: member is not a learner', 'no learner'],
  ['etcdserver: can only promote a learner member which is in sync with leader', 'not in sync'],
  ['etcdserver: member not found', 'no such member'],
  ['connection refused', undefined],
])('%s', (message, refusal) => expect(new EtcdError(message, false).refusal).toBe(refusal));
