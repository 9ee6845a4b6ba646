import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../machinery/time/clock.ts';
import { configMap, pod, startTestServer, type TestServer } from '../../testing/test-server.ts';

let server: TestServer;
const maps = '/api/v1/namespaces/default/configmaps';
const names = (body: any) => body.items.map((item: any) => item.metadata.name);

beforeAll(async () => {
  server = await startTestServer();
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await server.call('POST', maps, configMap(name, { labels: { half: name < 'c' ? 'first' : 'second' } }));
});
afterAll(() => server.stop());

describe('list', () => {
  test.each([
    { query: 'labelSelector=half%3Dfirst', shows: ['a', 'b'] },
    { query: 'labelSelector=half!%3Dfirst', shows: ['c', 'd', 'e'] },
    { query: 'fieldSelector=metadata.name%3Dd', shows: ['d'] },
    { query: 'fieldSelector=metadata.name!%3Dd&labelSelector=half%3Dsecond', shows: ['c', 'e'] },
    { query: 'limit=2', shows: ['a', 'b'] },
    { query: 'resourceVersion=0', shows: ['a', 'b', 'c', 'd', 'e'] },
  ])('$query', async ({ query, shows }) => {
    expect(names((await server.call('GET', `${maps}?${query}`)).body)).toEqual(shows);
  });

  test.each([
    { query: 'limit=abc', says: 'strconv.ParseInt: parsing "abc": invalid syntax' },
    { query: 'limit=', says: 'strconv.ParseInt: parsing "": invalid syntax' },
    { query: 'limit=1.5', says: 'strconv.ParseInt: parsing "1.5": invalid syntax' },
    { query: 'limit=5abc', says: 'strconv.ParseInt: parsing "5abc": invalid syntax' },
    {
      query: 'limit=9223372036854775808',
      says: 'strconv.ParseInt: parsing "9223372036854775808": value out of range',
    },
    { query: 'timeoutSeconds=soon', says: 'strconv.ParseInt: parsing "soon": invalid syntax' },
    { query: 'watch=1&timeoutSeconds=soon', says: 'strconv.ParseInt: parsing "soon": invalid syntax' },
  ])('$query is refused', async ({ query, says }) => {
    expect(await server.call('GET', `${maps}?${query}`)).toMatchObject({
      code: 400,
      body: { reason: 'BadRequest', message: says },
    });
  });

  test.each(['watch=False', 'limit=9223372036854775807', 'limit=%2B5', 'limit=-1', 'limit=005'])(
    '%s is taken',
    async (query) => {
      expect(names((await server.call('GET', `${maps}?${query}`)).body)).toEqual(['a', 'b', 'c', 'd', 'e']);
    },
  );

  test.each(['', '/none'])('gracePeriodSeconds=soon is refused when %j is deleted', async (name) => {
    const { code, body } = await server.call('DELETE', `${maps}${name}?gracePeriodSeconds=soon`);
    expect([code, body.message]).toEqual([400, 'strconv.ParseInt: parsing "soon": invalid syntax']);
  });

  test('pages show one state despite writes in between', async () => {
    const { body: first } = await server.call('GET', `${maps}?limit=2`);
    expect(first.metadata.remainingItemCount).toBe(3);
    await server.call('POST', maps, configMap('bb'));
    await server.call('DELETE', `${maps}/d`);
    const { body: second } = await server.call('GET', maps, undefined, {
      query: { limit: '10', continue: first.metadata.continue },
    });
    expect(names(second)).toEqual(['c', 'd', 'e']);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const { body: exact } = await server.call('GET', maps, undefined, {
      query: { resourceVersion: first.metadata.resourceVersion, resourceVersionMatch: 'Exact' },
    });
    expect(names(exact)).toEqual(['a', 'b', 'c', 'd', 'e']);
    await server.call('DELETE', `${maps}/bb`);
    await server.call('POST', maps, configMap('d', { labels: { half: 'second' } }));
  });

  test.each([
    { query: 'labelSelector=a%3D%3D%3Db', code: 400 },
    { query: 'fieldSelector=data%3Dx', code: 400 },
    { query: 'resourceVersion=abc', code: 400 },
    { query: 'resourceVersionMatch=Exact', code: 422 },
    { query: 'continue=zzz', code: 400 },
    { query: 'sendInitialEvents=true', code: 422 },
  ])('$query is refused with $code', async ({ query, code }) => {
    expect((await server.call('GET', `${maps}?${query}`)).code).toBe(code);
  });

  const token = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const version = 'meta.k8s.io/v1';
  test.each([
    { token: 'a b', says: 'illegal base64 data at input byte 1', raw: true },
    { token: null, says: 'server does not recognize this encoded version ' },
    { token: [], says: 'json: cannot unmarshal array into Go value of type storage.continueToken' },
    { token: { v: 'v9', rv: 1, start: 'a' }, says: 'server does not recognize this encoded version v9' },
    {
      token: { v: version, rv: 'x', start: 'a' },
      says: 'json: cannot unmarshal string into Go struct field continueToken.rv of type int64',
    },
    { token: { v: version, start: 'a' }, says: 'incorrect encoded start resourceVersion (version meta.k8s.io/v1)' },
    { token: { v: version, rv: 1 }, says: 'encoded start key empty (version meta.k8s.io/v1)' },
    { token: { v: version, rv: 1, start: '../secrets/a' }, says: '../secrets/a' },
  ])('the continue token $token is refused', async ({ token: value, says, raw }) => {
    const text = raw ? String(value) : token(value);
    const { code, body } = await server.call('GET', maps, undefined, { query: { continue: text } });
    expect(code).toBe(400);
    expect(body.message).toBe(`invalid continue token: continue key is not valid: ${says}`);
  });

  test('a version beside a continue token is refused unless it is 0', async () => {
    const { body: first } = await server.call('GET', `${maps}?limit=2`);
    const next = (resourceVersion: string) =>
      server.call('GET', maps, undefined, { query: { continue: first.metadata.continue, resourceVersion } });
    expect(names((await next('0')).body)).toEqual(['c', 'd', 'e']);
    expect(await next(first.metadata.resourceVersion)).toMatchObject({
      code: 400,
      body: { message: 'specifying resource version is not allowed when using continue', reason: 'BadRequest' },
    });
  });

  test.each([
    // The rest of the objects follows a full page, whether it is selected or not.
    { query: 'limit=2&labelSelector=half%3Dfirst', names: ['a', 'b'], continues: true, remaining: undefined },
    { query: 'limit=3&labelSelector=half%3Dfirst', names: ['a', 'b'], continues: false, remaining: undefined },
    { query: 'limit=1&fieldSelector=metadata.name%3Da', names: ['a'], continues: false, remaining: undefined },
    { query: 'limit=2', names: ['a', 'b'], continues: true, remaining: 3 },
    { query: 'limit=2&resourceVersion=0', names: ['a', 'b'], continues: true, remaining: 3 },
    { query: 'limit=5', names: ['a', 'b', 'c', 'd', 'e'], continues: false, remaining: undefined },
    { query: 'limit=0', names: ['a', 'b', 'c', 'd', 'e'], continues: false, remaining: undefined },
  ])('the page $query', async ({ query, names: expected, continues, remaining }) => {
    const { body } = await server.call('GET', `${maps}?${query}`);
    expect(names(body)).toEqual(expected);
    expect([body.metadata.continue !== undefined, body.metadata.remainingItemCount]).toEqual([continues, remaining]);
  });

  test('a version that is not reached in three seconds is a 504 that requests a retry', async () => {
    const current = server.server.cache.revision;
    const future = current + 1_000;
    const queries = ['', '&resourceVersionMatch=NotOlderThan', '&resourceVersionMatch=Exact', '&limit=1'];
    const startMs = performance.now();
    const answers = queries.map((query) => server.call('GET', `${maps}?resourceVersion=${future}${query}`));
    for (const { code, body } of await Promise.all(answers)) {
      expect(code).toBe(504);
      expect(body).toMatchObject({
        reason: 'Timeout',
        message: `Timeout: Too large resource version: ${future}, current: ${current}`,
        details: {
          retryAfterSeconds: 1,
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        },
      });
    }
    expect(performance.now() - startMs).toBeGreaterThan(2_900);
  });

  test('pages begin at the requested version', async () => {
    const { body: before } = await server.call('GET', maps);
    await server.call('POST', maps, configMap('aa'));
    const query = { limit: '2', resourceVersion: before.metadata.resourceVersion };
    const { body } = await server.call('GET', maps, undefined, { query });
    expect(names(body)).toEqual(['a', 'b']);
    expect(body.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await server.call('DELETE', `${maps}/aa`);
  });

  test('a token of a compacted version is answered with one for the rest of the newest state', async () => {
    const { body: first } = await server.call('GET', `${maps}?limit=2`);
    await server.call('POST', maps, configMap('cc'));
    server.server.cache.compact(Number(first.metadata.resourceVersion) + 1);
    const next = (query: Record<string, string>) => server.call('GET', maps, undefined, { query });
    const { code, body } = await next({ continue: first.metadata.continue });
    expect(code).toBe(410);
    expect(body).toMatchObject({ reason: 'Expired', message: expect.stringContaining('inconsistent list') });
    const { body: rest } = await next({ continue: body.metadata.continue, limit: '2' });
    expect(names(rest)).toEqual(['c', 'cc']);
    expect(Number(rest.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
    const { body: end } = await next({ continue: rest.metadata.continue });
    expect(names(end)).toEqual(['d', 'e']);
    expect(end.metadata.resourceVersion).toBe(rest.metadata.resourceVersion);
    await server.call('DELETE', `${maps}/cc`);
  });
});

describe('watch', () => {
  test('continues from a list', async () => {
    const { body } = await server.call('GET', maps);
    await server.call('POST', maps, configMap('w'));
    await server.call('PATCH', `${maps}/w`, { data: { a: '2' } }, { contentType: 'application/merge-patch+json' });
    await server.call('PATCH', `${maps}/w`, { data: { a: '2' } }, { contentType: 'application/merge-patch+json' });
    await server.call('DELETE', `${maps}/w`);
    expect(await server.watched(`${maps}?resourceVersion=${body.metadata.resourceVersion}`, 3)).toEqual([
      'ADDED w',
      'MODIFIED w',
      'DELETED w',
    ]);
  });

  test('an object that enters the selection is added, one that leaves it is deleted', async () => {
    const { body } = await server.call('GET', maps);
    const label = (of: string | null) =>
      server.call(
        'PATCH',
        `${maps}/s`,
        { metadata: { labels: { of } } },
        { contentType: 'application/merge-patch+json' },
      );
    await server.call('POST', maps, configMap('s'));
    await label('x');
    await label('y');
    const path = `${maps}?labelSelector=of%3Dx&resourceVersion=${body.metadata.resourceVersion}`;
    expect(await server.watched(path, 2)).toEqual(['ADDED s', 'DELETED s']);
    await server.call('DELETE', `${maps}/s`);
  });

  test('a streaming list ends with its bookmark', async () => {
    const path = `${maps}?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=half%3Dfirst`;
    expect(await server.watched(path, 3)).toEqual(['ADDED a', 'ADDED b', 'BOOKMARK']);
  });

  test('a node watches its own pods', async () => {
    const pods = '/api/v1/namespaces/default/pods';
    const { body } = await server.call('GET', pods);
    await server.call('POST', pods, pod('here'));
    await server.call('POST', pods, pod('there', { nodeName: 'n2' }));
    await server.call('POST', `${pods}/here/binding`, {
      metadata: { name: 'here' },
      target: { kind: 'Node', name: 'n1' },
    });
    const path = `/api/v1/pods?fieldSelector=spec.nodeName%3Dn1&resourceVersion=${body.metadata.resourceVersion}`;
    expect(await server.watched(path, 1)).toEqual(['ADDED here']);
    const live = server.watched(
      `/api/v1/pods?fieldSelector=spec.nodeName%3Dn3&resourceVersion=${body.metadata.resourceVersion}`,
      1,
    );
    await server.call('POST', pods, pod('third', { nodeName: 'n3' }));
    expect(await live).toEqual(['ADDED third']);
  });

  test('from a compacted version requires a new list', async () => {
    const clock = new VirtualClock();
    const own = await startTestServer({ clock });
    const { body } = await own.call('GET', maps);
    for (let i = 0; i < 1_000; i++) await own.call('POST', maps, configMap(`m${i}`));
    await clock.advance(120_000);
    await own.call('POST', maps, configMap('last'));
    expect(await own.watched(`${maps}?resourceVersion=${body.metadata.resourceVersion}`, 1)).toEqual(['ERROR Expired']);
    await own.stop();
  });
});
