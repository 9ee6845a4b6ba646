import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Container, Lifecycle, Pod } from '../../api/api.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import { runHook } from './hooks.ts';

const pod = { metadata: { name: 'web', namespace: 'ns', uid: 'u' } } as Pod;
const container = { name: 'main' } as Container;
const target = { containerId: 'c', sandboxId: 's', podIP: '127.0.0.1', startedAt: 0 };
const failed = 'for Container "main" in Pod "web_ns(u)" failed - error:';

/** The hook's error, or undefined, and its warnings. */
async function hook(
  given: NonNullable<Lifecycle['preStop']>,
  runtime = {} as ContainerRuntime,
  clock = new VirtualClock(),
) {
  const warnings: string[] = [];
  const tools = {
    runtime,
    clock,
    warn: (reason: string, message: string) => void warnings.push(`${reason}: ${message}`),
  };
  const error = await runHook(tools, given, pod, container, target, 30_000).then(
    () => undefined,
    ({ message }) => message,
  );
  return { error, warnings };
}

describe('exec', () => {
  const ended = (exitCode: number) =>
    ({
      execSync: async () => ({ exitCode, stdout: Buffer.from('out'), stderr: Buffer.from('err') }),
    }) as unknown as ContainerRuntime;
  const exec = { command: ['sh', '-c', 'x'] };

  test('an exit code of 0', async () => expect(await hook({ exec }, ended(0))).toEqual({ warnings: [] }));

  test('another exit code', async () =>
    expect((await hook({ exec }, ended(2))).error).toBe(
      `Exec lifecycle hook ([sh -c x]) ${failed} command 'sh -c x' exited with 2: err, message: "outerr"`,
    ));
});

describe('httpGet', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close().closeAllConnections());
  async function serve(answer: RequestListener): Promise<number> {
    const made = createServer(answer);
    server = made;
    await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
    return (made.address() as AddressInfo).port;
  }

  test.each([200, 302, 404, 500])('an answer with code %d is a success', async (code) => {
    const port = await serve((_, response) => response.writeHead(code).end());
    expect(await hook({ httpGet: { port, path: '/stop' } })).toEqual({ warnings: [] });
  });

  test('names the kubelet, and follows a redirect', async () => {
    const seen: unknown[] = [];
    const port = await serve(({ url, headers }, response) => {
      seen.push([url, headers['user-agent']]);
      response.writeHead(url === '/a' ? 307 : 200, { location: '/b' }).end();
    });
    await hook({ httpGet: { port, path: '/a' } });
    expect(seen).toEqual([
      ['/a', 'kube-lifecycle/1.36'],
      ['/b', 'kube-lifecycle/1.36'],
    ]);
  });

  test('asks a server without TLS again, and leaves out the authorization', async () => {
    let sent: unknown = 'nothing';
    const port = await serve(({ headers }, response) => {
      sent = [headers.authorization, headers['x-a']];
      response.end();
    });
    const httpHeaders = [
      { name: 'Authorization', value: 'secret' },
      { name: 'X-A', value: 'a' },
    ];
    expect(await hook({ httpGet: { port, scheme: 'HTTPS', httpHeaders } })).toEqual({
      warnings: [
        `LifecycleHTTPFallback: request to HTTPS lifecycle hook 127.0.0.1:${port} got HTTP response, retry with HTTP succeeded`,
      ],
    });
    expect(sent).toEqual([undefined, 'a']);
  });

  test.each<[{ port: number | string; path?: string }, string]>([
    [{ port: 'wbe' }, 'strconv.Atoi: parsing "wbe": invalid syntax'],
    [{ port: 1, path: '/x' }, 'Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused'],
  ])('%j fails', async (httpGet, why) =>
    expect((await hook({ httpGet })).error).toBe(`HTTP lifecycle hook (${httpGet.path ?? ''}) ${failed} ${why}`),
  );
});

describe('sleep', () => {
  test.each([
    [5, 5],
    [60, 30],
  ])('of %d s with a grace of 30 s takes %d s', async (seconds, wanted) => {
    const clock = new VirtualClock();
    let isDone = false;
    const slept = hook({ sleep: { seconds } }, undefined, clock).then(() => {
      isDone = true;
    });
    await clock.advance(wanted * 1000 - 1);
    expect(isDone).toBe(false);
    await clock.advance(1);
    await slept;
  });
});

test('tcpSocket fails', async () =>
  expect((await hook({ tcpSocket: { port: 80 } })).error).toBe(
    'Cannot run handler: invalid handler: {"tcpSocket":{"port":80}}',
  ));
