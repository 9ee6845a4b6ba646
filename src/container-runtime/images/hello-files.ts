// The project's files in the image coracle.local/hello.

const server = `// Responds with the pod, the node, the client address and the request.
const { createServer } = require('node:http');
const { hostname } = require('node:os');

const pod = process.env.POD_NAME || hostname();
const node = process.env.NODE_NAME;
const port = Number(process.env.PORT || 8080);
const server = createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok');
  console.log(new Date().toISOString() + ' ' + request.socket.remoteAddress + ' ' + request.method + ' ' + request.url);
  const lines = ['Hello from pod ' + pod];
  if (node) lines.push('Node: ' + node);
  lines.push('Client: ' + request.socket.remoteAddress, 'Request: ' + request.method + ' ' + request.url);
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(lines.join('\\n') + '\\n');
});
server.listen(port, () => console.log('hello: ' + pod + ' listens on port ' + port));
for (const signal of ['SIGTERM', 'SIGINT'])
  process.on(signal, () => {
    console.log('hello: ' + signal + ', ending');
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(0), 2000).unref();
  });
`;

const wget = `#!/usr/local/bin/node
// wget [-q] [-S] [-T SECONDS] [-O FILE|-] URL
const args = process.argv.slice(2);
let output, seconds = 60, url;
for (let i = 0; i < args.length; i++) {
  const arg = args[i];
  if (/^-[qSnv]*O/.test(arg)) output = arg.replace(/^-[qSnv]*O/, '') || args[++i];
  else if (arg.startsWith('-T')) seconds = Number(arg.slice(2) || args[++i]);
  else if (arg.startsWith('--timeout=')) seconds = Number(arg.slice(10));
  else if (!arg.startsWith('-')) url = arg.includes('://') ? arg : 'http://' + arg;
}
if (!url) {
  console.error('usage: wget [-q] [-T SECONDS] [-O FILE|-] URL');
  process.exit(2);
}
fetch(url, { signal: AbortSignal.timeout(seconds * 1000) })
  .then(async (response) => {
    if (!response.ok) throw new Error('server returned error: HTTP/1.1 ' + response.status + ' ' + response.statusText);
    const body = Buffer.from(await response.arrayBuffer());
    const name = output || new URL(url).pathname.split('/').pop() || 'index.html';
    if (name === '-') process.stdout.write(body);
    else require('node:fs').writeFileSync(name, body);
  })
  .catch((error) => {
    console.error('wget: ' + ((error.cause && error.cause.message) || error.message));
    process.exitCode = 1;
  });
`;

export const files: Readonly<Record<string, { content: string; mode?: number }>> = {
  'hello/server.js': { content: server },
  'usr/bin/wget': { content: wget, mode: 0o755 },
  'etc/passwd': {
    content: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  },
  'etc/group': { content: 'root:x:0:\nnogroup:x:65534:\n' },
  'etc/nsswitch.conf': { content: 'passwd: files\ngroup: files\nhosts: files dns\n' },
  'etc/os-release': { content: 'NAME="Coracle hello"\nID=coracle-hello\n' },
};
