// Health checks of a component, as its /healthz answers them. https://kubernetes.io/docs/reference/using-api/health-checks/

import { Metrics } from './metrics.ts';

export interface HealthCheck {
  readonly name: string;
  /** Why not, undefined while all is well. `endpoint` is one of those below. */
  check(endpoint: string): string | undefined | Promise<string | undefined>;
  /** The endpoints that run it. Default: all. */
  readonly endpoints?: readonly ('healthz' | 'livez' | 'readyz')[];
}

/** The parameters of a request: URLSearchParams. */
interface HealthQuery {
  has(name: string): boolean;
  getAll(name: string): readonly string[];
}

export interface HealthAnswer {
  readonly code: number;
  readonly text: string;
}

export class HealthChecks {
  readonly #rankOf: (name: string) => number;
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

  /** `startedAt` is that of the process, in seconds since 1970. Checks are shown in the order of `rankOf`. */
  constructor(startedAt: number, rankOf: (name: string) => number = () => 0) {
    this.#rankOf = rankOf;
    this.slis
      .gauge('process_start_time_seconds', '[STABLE] Start time of the process since unix epoch in seconds.')
      .set(startedAt);
  }

  /** Checks with one name are one check, which succeeds if both do. */
  add(check: HealthCheck): void {
    const at = this.#checks.findIndex(({ name }) => name === check.name);
    if (at >= 0) this.#checks[at] = both(this.#checks[at], check);
    else this.#checks.push(check);
    this.#checks.sort((a, b) => this.#rankOf(a.name) - this.#rankOf(b.name));
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

  async answer(path: string, query: HealthQuery): Promise<HealthAnswer> {
    const [, endpoint, ...rest] = path.replace(/\/$/, '').split('/');
    const checks = this.#of(endpoint);
    if (rest.length) {
      const one = checks.find((check) => check.name === rest.join('/'));
      if (!one) return { code: 404, text: '404 page not found\n' };
      const why = await one.check(endpoint);
      return why === undefined ? { code: 200, text: 'ok' } : { code: 500, text: `internal server error: ${why}\n` };
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
    if (failed) return { code: 500, text: `${lines.join('\n')}\n${endpoint} check failed\n` };
    return { code: 200, text: query.has('verbose') ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok' };
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
