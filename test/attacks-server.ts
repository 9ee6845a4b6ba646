// An API server in a process of its own, which says how long it kept everybody waiting and how much memory it took.

import { startTestServer } from '../src/kube-apiserver/test-server.ts';

const everyMs = 5;
const server = await startTestServer();
const listener = await server.listen({ port: 0 });
let last = performance.now();
let longestMs = 0;
let highest = 0;
setInterval(() => {
  const now = performance.now();
  longestMs = Math.max(longestMs, now - last - everyMs);
  highest = Math.max(highest, process.memoryUsage.rss());
  last = now;
}, everyMs);

/** How many times as long as on an idle machine work takes now. */
function slowness(): number {
  const idleMs = 20;
  const text = JSON.stringify(Array.from({ length: 20_000 }, (_, i) => ({ name: `n${i}`, values: [i, i] })));
  const started = performance.now();
  for (let i = 0; i < 2; i++) JSON.stringify(JSON.parse(text));
  return Math.max(1, (performance.now() - started) / idleMs);
}

process.on('message', (asked) => {
  if (asked === 'reset') return process.send?.({ slowness: slowness(), highest: process.memoryUsage.rss() });
  process.send?.({ longestMs, highest });
  longestMs = 0;
  highest = process.memoryUsage.rss();
});
process.send?.({ url: listener.url });
