import { describe, expect, test } from 'vitest';
import type { Container, Pod, Secret } from '../../api/api.ts';
import type { ContainerRuntime } from '../../container-runtime/container-runtime.ts';
import { VirtualClock } from '../../machinery/time/clock.ts';
import type { CredentialProviders } from './credential-providers.ts';
import { ImageManager } from './images.ts';

const never = new AbortController().signal;

function subject() {
  const pulls: { reference: string; username?: string; signal: AbortSignal; done: (id: string) => void }[] = [];
  const runtime = {
    imageStatus: async () => undefined,
    pullImage: (reference: string, auth: { username: string } | undefined, signal: AbortSignal) =>
      new Promise<string>((done) => pulls.push({ reference, username: auth?.username, signal, done })),
  } as unknown as ContainerRuntime;
  const images = new ImageManager(runtime, new VirtualClock(0));
  const events: string[] = [];
  const ensure = (uid: string, image: string, signal = never, secrets: Secret[] = []) => {
    const emit = (_type: string, reason: string, message: string) => void events.push(`${reason} ${message}`);
    return images.ensure(
      { metadata: { name: uid, uid } } as Pod,
      { name: 'c', image, imagePullPolicy: 'Always' } as Container,
      secrets,
      emit,
      signal,
    );
  };
  return { pulls, events, ensure };
}
const settled = () => new Promise((done) => setImmediate(done));

describe('image names', () => {
  test.each([
    ['no/such:tag:tag', 'invalid reference format'],
    ['UPPER', 'invalid reference format: repository name (library/UPPER) must be lowercase'],
    ['registry.test/Upper:1', 'invalid reference format: repository name (registry.test/Upper) must be lowercase'],
    ['a b', 'invalid reference format'],
  ])('%s is none', async (image, why) => {
    const { ensure, events, pulls } = subject();
    const message = `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${why}`;
    await expect(ensure('u', image)).rejects.toMatchObject({ reason: 'InvalidImageName', message });
    expect(events).toEqual([`InspectFailed ${message}`]);
    expect(pulls).toEqual([]);
  });
});

describe('pulls', () => {
  test('end when the last waiting pod is gone, without a failure event', async () => {
    const { ensure, events, pulls } = subject();
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [ensure('a', 'img', first.signal), ensure('b', 'img', second.signal)];
    await settled();
    expect(pulls).toHaveLength(1);
    first.abort();
    await expect(waits[0]).rejects.toMatchObject({ name: 'AbortError' });
    expect(pulls[0].signal.aborted).toBe(false);
    second.abort();
    await expect(waits[1]).rejects.toMatchObject({ name: 'AbortError' });
    expect(pulls[0].signal.aborted).toBe(true);
    expect(events).toEqual(['Pulling Pulling image "img"', 'Pulling Pulling image "img"']);
    const again = ensure('c', 'img');
    await settled();
    pulls[1].done('id');
    expect(await again).toBe('id');
  });

  test('are not shared by pods with other credentials', async () => {
    const { ensure, pulls } = subject();
    const auths = { auths: { 'registry.test': { username: 'me', password: 'x' } } };
    const secret = { data: { '.dockerconfigjson': Buffer.from(JSON.stringify(auths)).toString('base64') } } as unknown;
    const waits = [ensure('a', 'registry.test/img', never, [secret as Secret]), ensure('b', 'registry.test/img')];
    await settled();
    expect(pulls.map((p) => p.username)).toEqual(['me', undefined]);
    for (const pull of pulls) pull.done('id');
    await Promise.all(waits);
  });

  test.each<[string, string[], string | undefined]>([
    ['the second credentials are taken', ['registry'], 'id'],
    ['the last ones, which are those of a provider', ['registry', 'domain'], 'id'],
    ['none', ['registry', 'domain', 'provider'], undefined],
  ])('with several credentials: %s', async (_, refused, id) => {
    const tried: string[] = [];
    const runtime = {
      imageStatus: async () => undefined,
      pullImage: async (_reference: string, auth?: { username: string }) => {
        tried.push(auth?.username ?? '');
        if (refused.includes(tried.at(-1)!)) throw new Error(`${tried.at(-1)} is refused`);
        return 'id';
      },
    } as unknown as ContainerRuntime;
    const of = (username: string) => ({ username, password: 'x' });
    const auths = { 'registry.test': of('registry'), '*.test': of('domain') };
    const secret = {
      data: { '.dockercfg': Buffer.from(JSON.stringify(auths)).toString('base64') },
    } as unknown as Secret;
    const asked: string[] = [];
    const providers = {
      credentials: async (image: string) => {
        asked.push(image);
        return [of('provider')];
      },
    } as unknown as CredentialProviders;
    const images = new ImageManager(runtime, new VirtualClock(0), providers);
    const container = { name: 'c', image: 'registry.test/team/img:v1', imagePullPolicy: 'Always' } as Container;
    const ensured = images.ensure({ metadata: { name: 'a', uid: 'a' } } as Pod, container, [secret], () => {}, never);
    if (id) expect(await ensured).toBe(id);
    else
      await expect(ensured).rejects.toMatchObject({
        reason: 'ErrImagePull',
        message: '[registry is refused, domain is refused, provider is refused]',
      });
    expect(tried).toEqual(['registry', 'domain', 'provider'].slice(0, refused.length + (id ? 1 : 0)));
    expect(asked).toEqual(['registry.test/team/img']);
  });
});
