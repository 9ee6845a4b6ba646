// /healthz, /livez and /readyz. https://kubernetes.io/docs/reference/using-api/health-checks/

import { type ApiRequest, type Reply, textReply } from './request.ts';
import { failure } from './status.ts';

export interface HealthCheck {
  readonly name: string;
  /** Why not, undefined while all is well. */
  check(): string | undefined | Promise<string | undefined>;
  /** Which endpoints ask for it. Default: all. */
  readonly endpoints?: readonly ('healthz' | 'livez' | 'readyz')[];
}

export class HealthChecks {
  readonly #checks: HealthCheck[] = [{ name: 'ping', check: () => undefined }];

  add(check: HealthCheck): void {
    this.#checks.push(check);
  }

  names(endpoint: string): readonly string[] {
    return this.#of(endpoint).map((check) => check.name);
  }

  async answer({ path, query }: ApiRequest): Promise<Reply> {
    const [, endpoint, ...rest] = path.replace(/\/$/, '').split('/');
    const checks = this.#of(endpoint);
    if (rest.length) {
      const one = checks.find((check) => check.name === rest.join('/'));
      if (!one) return textReply(404, '404 page not found\n');
      const why = await one.check();
      return why === undefined ? textReply(200, 'ok') : textReply(500, `internal server error: ${why}\n`);
    }
    const excluded = new Set(query.getAll('exclude'));
    const lines: string[] = [];
    let failed = false;
    for (const check of checks) {
      if (excluded.has(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        continue;
      }
      const why = await check.check();
      failed ||= why !== undefined;
      lines.push(why === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: reason withheld`);
    }
    if (failed) return textReply(500, `${lines.join('\n')}\n${endpoint} check failed\n`);
    return textReply(200, query.has('verbose') ? `${lines.join('\n')}\n${endpoint} check passed\n` : 'ok');
  }

  #of(endpoint: string): readonly HealthCheck[] {
    return this.#checks.filter((check) => !check.endpoints || check.endpoints.includes(endpoint as 'healthz'));
  }
}

export { failure };
