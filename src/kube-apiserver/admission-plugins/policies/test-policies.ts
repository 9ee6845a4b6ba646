// An API server with policies, for the tests beside this file.

import { afterEach, beforeEach, expect } from 'vitest';
import { type Client, createClient } from '../../../client/client.ts';
import type { Authorizer } from '../../access/authorization.ts';
import { startTestServer, type TestServer } from '../../testing/test-server.ts';
import { admissionPlugins } from '../admission-plugins.ts';

export const group = '/apis/admissionregistration.k8s.io/v1';
export const maps = '/api/v1/namespaces/default/configmaps';
export const rules = [
  { apiGroups: [''], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] },
];
export const denied = "ValidatingAdmissionPolicy 'p' with binding 'p' denied request: ";
/** More than a million steps. */
export const dear = `${'[0,1,2,3,4,5,6,7,8,9]'.concat('.all(a, [0,1,2,3,4,5,6,7,8,9]'.repeat(6))}.all(z, true${')'.repeat(7)}`;

/** Allows every verb but `break`. */
const authorizer: Authorizer = {
  name: 'test',
  async authorize({ verb, name, user }) {
    if (user.name === 'system:serviceaccount:default:robot') return { decision: 'no-opinion' };
    return verb === 'break' ? { decision: 'deny', reason: `${name} must not break` } : { decision: 'allow' };
  },
};

/** The server of each test, with the namespace `default`. */
export function policyServer() {
  let server: TestServer;
  beforeEach(async () => {
    let client: Client | undefined;
    server = await startTestServer({
      admission: admissionPlugins(() => client as Client),
      authorizers: [authorizer],
      namespaces: [],
    });
    client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
    await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default', labels: { team: 'a' } } });
  });
  afterEach(() => server.stop());

  const made = async (path: string, spec: object) => {
    const { code, body } = await server.call('POST', `${group}/${path}`, { metadata: { name: 'p' }, spec });
    expect(code, body.message).toBe(201);
  };
  const validating = async (spec: object, binding: object = {}) => {
    await made('validatingadmissionpolicies', { matchConstraints: { resourceRules: rules }, ...spec });
    await made('validatingadmissionpolicybindings', { policyName: 'p', validationActions: ['Deny'], ...binding });
  };
  const mutating = async (mutation: object, spec: object = {}) => {
    await made('mutatingadmissionpolicies', {
      matchConstraints: { resourceRules: rules },
      mutations: [mutation],
      reinvocationPolicy: 'Never',
      ...spec,
    });
    await made('mutatingadmissionpolicybindings', { policyName: 'p' });
  };
  const map = (name: string, data: object = { v: 'bad' }, labels: object = {}) =>
    server.call('POST', maps, { metadata: { name, labels }, data });
  return {
    call: (...words: Parameters<TestServer['call']>) => server.call(...words),
    transport: (...words: Parameters<TestServer['transport']>) => server.transport(...words),
    ...{ made, validating, mutating, map },
  };
}
