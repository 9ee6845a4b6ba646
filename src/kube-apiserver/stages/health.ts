// /healthz, /livez and /readyz. https://kubernetes.io/docs/reference/using-api/health-checks/

import { Metrics } from '../../machinery/metrics.ts';
import type { KeyService, KeyServices, Store, StoreProblem } from '../../store/store.ts';
import { type Reply, textReply } from '../request/reply.ts';
import { rankOf } from './health-names.ts';

export interface HealthCheck {
  readonly name: string;
  /** Why not, undefined while all is well. `endpoint` is one of those below. */
  check(endpoint: string): string | undefined | Promise<string | undefined>;
  /** The endpoints that run it. Default: all. */
  readonly endpoints?: readonly ('healthz' | 'livez' | 'readyz')[];
}

export class HealthChecks {
  /** The log never holds a request up: lines that cannot be written are dropped. */
  readonly #checks: HealthCheck[] = ['ping', 'log'].map((name) => ({ name, check: () => undefined }));
  /** The results, as `/metrics/slis` shows them. https://kubernetes.io/docs/reference/instrumentation/slis/ */
  readonly slis = new Metrics();
  readonly #result = this.slis.gauge(
    'kubernetes_healthcheck',
    '[STABLE] This metric records the result of a single healthcheck.',
  );
  readonly #results = this.slis.counter(
    'kubernetes_healthchecks_total',
    '[STABLE] This metric records the results of all healthcheck.',
  );

  /** Checks with one name are one check, which succeeds if both do. They are shown in Kubernetes' order. */
  add(check: HealthCheck): void {
    const at = this.#checks.findIndex(({ name }) => name === check.name);
    if (at >= 0) this.#checks[at] = both(this.#checks[at], check);
    else this.#checks.push(check);
    this.#checks.sort((a, b) => rankOf(a.name) - rankOf(b.name));
  }

  /** Checks that fail until the returned function is called: work that a server must do before it is healthy. */
  pending(names: readonly string[], endpoints?: HealthCheck['endpoints']): () => void {
    let isFinished = false;
    const check = () => (isFinished ? undefined : 'not finished');
    for (const name of names) this.add({ name, check, ...(endpoints && { endpoints }) });
    return () => {
      isFinished = true;
    };
  }

  names(endpoint: string): readonly string[] {
    return this.#of(endpoint).map((check) => check.name);
  }

  async answer(path: string, query: URLSearchParams): Promise<Reply> {
    const [, endpoint, ...rest] = path.replace(/\/$/, '').split('/');
    const checks = this.#of(endpoint);
    if (rest.length) {
      const one = checks.find((check) => check.name === rest.join('/'));
      if (!one) return textReply(404, '404 page not found\n');
      const why = await one.check(endpoint);
      return why === undefined ? textReply(200, 'ok') : textReply(500, `internal server error: ${why}\n`);
    }
    const excluded = new Set(query.getAll('exclude'));
    const unmatched = [...excluded].filter((name) => !checks.some((check) => check.name === name));
    const lines: string[] = [];
    let failed = false;
    for (const check of checks) {
      if (excluded.has(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const why = await check.check(endpoint);
      failed ||= why !== undefined;
      this.#observe(check.name, endpoint, why === undefined);
      lines.push(why === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    }
    if (unmatched.length > 0)
      lines.push(
        `warn: some health checks cannot be excluded: no matches for ${unmatched.map((name) => JSON.stringify(name)).join(', ')}`,
      );
    if (failed) return textReply(500, `${lines.join('\n')}\n${endpoint} check failed\n`);
    return textReply(200, query.has('verbose') ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok');
  }

  #observe(name: string, type: string, isHealthy: boolean): void {
    this.#result.set(isHealthy ? 1 : 0, { name, type });
    this.#results.add(1, { name, status: isHealthy ? 'success' : 'error', type });
  }

  #of(endpoint: string): readonly HealthCheck[] {
    return this.#checks.filter((check) => !check.endpoints || check.endpoints.includes(endpoint as 'healthz'));
  }
}

const both = (first: HealthCheck, second: HealthCheck): HealthCheck => ({
  ...first,
  check: async (endpoint) => (await first.check(endpoint)) ?? second.check(endpoint),
});

/**
 * The checks of the store. Every endpoint checks reads; `readyz` also checks writes, because a full disk is no reason
 * to restart the server.
 */
export function storeChecks(store: Store, fault: () => string | undefined): readonly HealthCheck[] {
  let asking: Promise<StoreProblem | undefined> | undefined;
  // Concurrent requests share one check, which may be slow.
  const health = () =>
    (asking ??= store.health().finally(() => {
      asking = undefined;
    }));
  const check = async (endpoint: string) => {
    const problem = await health();
    return fault() ?? (problem && (endpoint === 'readyz' || !problem.canBeRead) ? problem.message : undefined);
  };
  return [
    { name: 'etcd', check },
    { name: 'etcd-readiness', endpoints: ['readyz'], check },
    ...(store.keyServices ? keyServiceChecks(store.keyServices) : []),
  ];
}

/**
 * A check for each key management service, or one for all of them if they can change. They are no reason to restart the
 * server, so `livez` does not run them. https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
 */
function keyServiceChecks(services: KeyServices): readonly HealthCheck[] {
  const endpoints = ['healthz', 'readyz'] as const;
  const healthOf = async (some: readonly KeyService[]) => {
    const problems = await Promise.all(some.map((service) => service.health()));
    return problems.filter((problem) => problem !== undefined).join(', ') || undefined;
  };
  if (services.canChange) return [{ name: 'kms-providers', endpoints, check: () => healthOf(services.list()) }];
  return services.list().map((service, i) => ({ name: `kms-provider-${i}`, endpoints, check: () => service.health() }));
}
