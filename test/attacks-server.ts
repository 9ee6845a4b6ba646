// An API server in a process of its own, which says how long it kept everybody waiting and how much memory it took.

import { startTestServer } from '../src/kube-apiserver/testing/test-server.ts';

const everyMs = 5;
const server = await startTestServer();
const listener = await server.listen({ port: 0 });
let longestMs = 0;
let highest = 0;

/** Time of this thread on a processor: what other processes do meanwhile does not count. */
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
process.send?.({ url: listener.url });
