// Sends audit events to a server in batches. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#webhook-backend

import { callRemote, type RemoteServer } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock, Timer } from '../../machinery/time/clock.ts';
import type { AuditBackend } from './auditor.ts';

interface AuditWebhookOptions extends RemoteServer {
  readonly clock: Clock;
  readonly logger: Logger;
}

// The defaults of kube-apiserver's --audit-webhook-batch-* options.
const bufferSize = 10_000;
const batchSize = 400;
const batchWaitMs = 30_000;
const firstRetryMs = 10_000;
const attempts = 5;
const timeoutMs = 30_000;

export function auditWebhook(options: AuditWebhookOptions): AuditBackend {
  return new AuditWebhook(options);
}

class AuditWebhook implements AuditBackend {
  readonly name = 'webhook';
  readonly #options: AuditWebhookOptions;
  #waiting: string[] = [];
  #timer: Timer | undefined;
  #sending: Promise<void> = Promise.resolve();
  #batches = 0;
  #dropped = 0;
  #closed = false;

  constructor(options: AuditWebhookOptions) {
    this.#options = options;
  }

  get lost(): number {
    return this.#dropped;
  }

  write(event: string): void {
    if (this.#waiting.length + this.#batches * batchSize >= bufferSize) {
      if (this.#dropped++ % 1000 === 0)
        this.#options.logger.warn('audit events lost', { url: this.#options.url, lost: this.#dropped });
      return;
    }
    this.#waiting.push(event);
    if (this.#waiting.length >= batchSize) this.#flush();
    else this.#timer ??= this.#options.clock.after(batchWaitMs, () => this.#flush(), { background: true });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#flush();
    await this.#sending;
  }

  #flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const items = this.#waiting;
    this.#waiting = [];
    this.#batches++;
    const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${items.join(',')}]}`;
    this.#sending = this.#sending
      .then(() => this.#send(body))
      .catch((error) => {
        this.#dropped += items.length;
        this.#options.logger.warn('audit events lost', {
          url: this.#options.url,
          lost: this.#dropped,
          error: String(error),
        });
      })
      .finally(() => {
        this.#batches--;
      });
  }

  async #send(body: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await post(this.#options, body);
      } catch (error) {
        if (attempt === attempts || this.#closed) throw error;
        await this.#options.clock.sleep(firstRetryMs * 1.5 ** (attempt - 1));
      }
    }
  }
}

async function post(server: RemoteServer, body: string): Promise<void> {
  const { code } = await callRemote(server, { body, timeoutMs });
  if (code < 200 || code > 299) throw new Error(`the server answered ${code}`);
}
