import { expect, test } from 'vitest';
import { type KubeObject, notFound } from '../api/api.ts';
import type { Tools } from '../client/client.ts';
import { silentLogger } from '../machinery/logger.ts';
import { legacyServiceAccountTokenCleaner } from './legacy-serviceaccount-token-cleaner.ts';

const dayMs = 24 * 3_600_000;
const lastUsed = 'kubernetes.io/legacy-token-last-used';
const invalidSince = 'kubernetes.io/legacy-token-invalid-since';

type Objects = Readonly<Record<string, readonly KubeObject[]>>;

/** The tools of a controller whose caches have these objects. `written` gets the requests of its client. */
function toolsWith(objects: Objects, since: string | undefined, nowMs: number, written: unknown[]): Tools {
  const tools: unknown = {
    clock: { now: () => nowMs },
    logger: silentLogger,
    lister: (resource: string) => ({
      list: () => objects[resource] ?? [],
      get: (key: string) => objects[resource]?.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
    }),
    client: {
      async get(resource: string, { name }: { readonly name: string }) {
        if (since === undefined) throw notFound({ group: '', resource }, name);
        return { data: { since } };
      },
      patch: async (_: string, __: object, { body }: { body: { metadata: object } }) =>
        void written.push(body.metadata),
      delete: async (_: string, key: object, options: object) => void written.push({ ...key, ...options }),
    },
  };
  return tools as Tools;
}

interface Case {
  readonly case: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly type?: string;
  /** Secrets that the account refers to. */
  readonly references?: readonly string[];
  readonly uid?: string;
  readonly isMounted?: boolean;
  readonly since?: string | undefined;
  /** Since 2026-01-01. */
  readonly days?: number;
  readonly createdDay?: string;
  readonly deletionTimestamp?: string;
  readonly becomes: 'kept' | 'marked' | 'deleted';
}

const token = 'kubernetes.io/service-account-token';

test.each<Case>([
  { case: 'a token that was never used', becomes: 'marked' },
  { case: 'tracking for less than a year', days: 365, becomes: 'kept' },
  { case: 'tracking that began later', since: '2026-01-02', days: 366, becomes: 'kept' },
  { case: 'no tracking', since: undefined, becomes: 'kept' },
  { case: 'a young token', createdDay: '2026-01-03', becomes: 'kept' },
  { case: 'a token that is being deleted', deletionTimestamp: '2027-01-01T00:00:00Z', becomes: 'kept' },
  { case: 'a date that is none', since: '2026-13-01', becomes: 'kept' },
  { case: 'a use a year ago', labels: { [lastUsed]: '2026-01-02' }, becomes: 'marked' },
  { case: 'a later use', labels: { [lastUsed]: '2026-01-03' }, becomes: 'kept' },
  { case: 'a use on a day that is none', labels: { [lastUsed]: 'yesterday' }, becomes: 'kept' },
  { case: 'a token that a user created', references: [], becomes: 'kept' },
  { case: 'a secret of another type', type: 'Opaque', becomes: 'kept' },
  { case: 'an account of another uid', uid: 'old', becomes: 'kept' },
  { case: 'a token that a pod mounts', isMounted: true, becomes: 'kept' },
  { case: 'a mark that is no date', labels: { [invalidSince]: 'x' }, becomes: 'marked' },
  { case: 'a mark of a year ago', labels: { [invalidSince]: '2026-01-02' }, becomes: 'deleted' },
  { case: 'a later mark', labels: { [invalidSince]: '2026-01-03' }, becomes: 'kept' },
  {
    case: 'a use after the mark',
    labels: { [invalidSince]: '2025-01-01', [lastUsed]: '2026-06-01' },
    becomes: 'kept',
  },
])('$case: $becomes', async (given) => {
  const { labels = {}, type = token, references = ['old'], uid = 'account', isMounted, days = 367 } = given;
  const { createdDay = '2026-01-01', deletionTimestamp } = given;
  const home = { namespace: 'default', uid: 'u', resourceVersion: '7' };
  const annotations = {
    'kubernetes.io/service-account.name': 'robot',
    'kubernetes.io/service-account.uid': uid,
  };
  const creationTimestamp = `${createdDay}T00:00:00Z`;
  const secret = {
    type,
    metadata: { ...home, name: 'old', labels, annotations, creationTimestamp, deletionTimestamp },
  };
  const secrets = references.map((name) => ({ name }));
  const account = { metadata: { ...home, name: 'robot', uid: 'account' }, secrets };
  const volumes = isMounted ? [{ name: 'v', secret: { secretName: 'old' } }] : [];
  const pod = { metadata: { ...home, name: 'user' }, spec: { containers: [], volumes } };
  const objects = { secrets: [secret], serviceaccounts: [account], pods: [pod] } as unknown as Objects;
  const written: unknown[] = [];
  const nowMs = Date.UTC(2026, 0, 1) + days * dayMs;
  const since = 'since' in given ? given.since : '2026-01-01';
  const tools = toolsWith(objects, since, nowMs, written);
  expect(await legacyServiceAccountTokenCleaner.reconcile('secrets', tools)).toEqual({ after: dayMs });
  const marked = { uid: 'u', labels: { [invalidSince]: '2027-01-03' } };
  const deleted = { namespace: 'default', name: 'old', preconditions: { resourceVersion: '7' } };
  expect(written).toEqual({ marked: [marked], deleted: [deleted], kept: [] }[given.becomes]);
});
