// An API server with admission plugins, for the tests beside this file.

import { afterEach } from 'vitest';
import { type Client, createClient } from '../../client/client.ts';
import { must } from '../../machinery/must.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { Authorizer } from '../access/authorization.ts';
import type { UserInfo } from '../request/user.ts';
import { startTestServer, type TestServer } from '../testing/test-server.ts';
import { type AdmissionConfiguration, admissionPlugins } from './admission-plugins.ts';

export const ns = '/api/v1/namespaces/default';

export const box = (fields: object = {}) => ({ name: 'box', image: 'registry.test/box:1', ...fields });

interface Started {
  /** A plugin beside the default ones. */
  readonly enabled?: string;
  readonly configuration?: AdmissionConfiguration;
  readonly authorizers?: readonly Authorizer[];
  readonly namespaces?: readonly string[];
}

/** The calls of one test file; each test starts the server, and it stops with the test. */
export function admissionServer() {
  let server: TestServer | undefined;
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });
  const running = () => must(server, 'server');
  const call: TestServer['call'] = (...words) => running().call(...words);
  return {
    call,
    transport: (user: UserInfo) => running().transport(user),
    /** In virtual time, with the namespace `default` and its service account. */
    async start({
      enabled,
      configuration,
      authorizers,
      namespaces = ['default'],
    }: Started = {}): Promise<VirtualClock> {
      let client: Client | undefined;
      const clock = new VirtualClock();
      const options = { ...(enabled && { enabled: [enabled] }), configuration, clock };
      server = await startTestServer({
        clock,
        admission: admissionPlugins(() => client as Client, options),
        namespaces: [],
        ...(authorizers && { authorizers }),
      });
      client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
      for (const name of namespaces) {
        await call('POST', '/api/v1/namespaces', { metadata: { name } });
        await call('POST', `/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } });
      }
      return clock;
    },
    create: (name: string, spec: object = {}, metadata: object = {}) =>
      call('POST', `${ns}/pods`, { metadata: { name, ...metadata }, spec: { containers: [box()], ...spec } }),
    merge: (path: string, body: object) => call('PATCH', path, body, { contentType: 'application/merge-patch+json' }),
  };
}
