// Answers load balancers on healthCheckNodePort: whether this node has endpoints of the service.
// https://kubernetes.io/docs/reference/networking/virtual-ips/#external-traffic-policy

import { createServer, type Server, type ServerResponse } from 'node:http';
import type { EventReporter } from '../client/client.ts';
import type { Logger } from '../machinery/logger.ts';
import type { HealthCheck } from './service-ports.ts';

interface HealthCheckOptions {
  readonly nodeName: string;
  readonly nodeIPs: readonly string[];
  readonly logger: Logger;
  readonly events: EventReporter;
  /** Why the proxy cannot program its rules; undefined: it can. */
  problem(): string | undefined;
}

interface Listening {
  check: HealthCheck;
  readonly servers: readonly Server[];
}

const keyOf = ({ namespace, name, port }: HealthCheck) => `${namespace}/${name} ${port}`;

export class HealthCheckServers {
  readonly #options: HealthCheckOptions;
  readonly #listening = new Map<string, Listening>();

  constructor(options: HealthCheckOptions) {
    this.#options = options;
  }

  /** Serves exactly these. A port that cannot be opened is reported, and tried again at the next call. */
  async sync(checks: readonly HealthCheck[]): Promise<void> {
    const wanted = new Map(checks.map((check) => [keyOf(check), check]));
    for (const [key, { servers }] of this.#listening)
      if (!wanted.has(key)) {
        close(servers);
        this.#listening.delete(key);
      }
    for (const [key, check] of wanted) {
      const existing = this.#listening.get(key);
      if (existing) existing.check = check;
      else await this.#open(key, check);
    }
  }

  stop(): void {
    for (const { servers } of this.#listening.values()) close(servers);
    this.#listening.clear();
  }

  async #open(key: string, check: HealthCheck): Promise<void> {
    const { nodeIPs, nodeName, logger, events } = this.#options;
    const listening: Listening = {
      check,
      servers: nodeIPs.map(() => createServer((_request, response) => this.#answer(listening.check, response))),
    };
    try {
      await Promise.all(listening.servers.map((server, i) => listen(server, check.port, nodeIPs[i])));
      this.#listening.set(key, listening);
    } catch (error) {
      close(listening.servers);
      const { namespace, name, uid, port } = check;
      const note = `node ${nodeName} failed to start healthcheck "${namespace}/${name}" on port ${port}: ${(error as Error).message}`;
      logger.warn('health check not served', { service: `${namespace}/${name}`, error: (error as Error).message });
      const service = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { namespace, name, uid, creationTimestamp: '', resourceVersion: '' },
      };
      events.report(service, { type: 'Warning', reason: 'FailedToStartServiceHealthcheck', action: 'Listen', note });
    }
  }

  #answer({ namespace, name, localEndpoints }: HealthCheck, response: ServerResponse): void {
    const serviceProxyHealthy = this.#options.problem() === undefined;
    response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
    });
    response.end(JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }, null, '\t'));
  }
}

function listen(server: Server, port: number, host: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      server.on('error', () => {}); // a connection that failed is the client's concern
      resolve();
    });
  });
}

function close(servers: readonly Server[]): void {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
}
