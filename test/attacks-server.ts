// An API server in a separate process, which reports its longest blockage of the event loop and its memory.

import { type Client, createClient } from '../src/client/client.ts';
import { admissionPlugins } from '../src/kube-apiserver/admission-plugins/admission-plugins.ts';
import { testAuthority } from '../src/kube-apiserver/testing/test-certificates.ts';
import { startTestServer } from '../src/kube-apiserver/testing/test-server.ts';

const everyMs = 5;
let client: Client;
const plugins = { admission: admissionPlugins(() => client, { missingServiceAccounts: true }), namespaces: [] };
const hasAdmission = process.argv.includes('admission');
const server = await startTestServer(hasAdmission ? plugins : {});
client = createClient(server.transport({ name: 'system:apiserver', groups: ['system:masters'] }));
if (hasAdmission) await server.call('POST', '/api/v1/namespaces', { metadata: { name: 'default' } });
const isSecure = process.argv.includes('tls');
const tls = isSecure ? { tls: await (await testAuthority()).issue('CN=server', ['127.0.0.1']) } : {};
const listener = await server.listen({ port: 0, ...tls });
let longestMs = 0;
let highest = 0;

/** CPU time of this thread: other processes' load does not count. */
function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

let last = spentMs();
setInterval(() => {
  const now = spentMs();
  longestMs = Math.max(longestMs, now - last);
  highest = Math.max(highest, process.memoryUsage.rss());
  last = now;
}, everyMs);

process.on('message', () => {
  process.send?.({ longestMs, highest });
  longestMs = 0;
  highest = process.memoryUsage.rss();
});
// The test ended without a word, such as by a signal.
process.on('disconnect', () => process.exit());
process.send?.({ url: listener.url });
