// Reads the manifests of static pods from a web server: one pod, or a list of pods.
// https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/#pods-created-via-http

import type { Pod } from '../../api/api.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { mostBytes } from './manifests.ts';
import { withoutCredentials } from './shown-url.ts';
import { staticPods } from './static-pod.ts';

/** Until the server has sent all. */
const timeoutMs = 10_000;

interface ManifestUrlConfig {
  readonly url: string;
  /** Of the request; each may have several values. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly nodeName: string;
}

export class ManifestUrl {
  /** Without the credentials in it. */
  readonly place: string;
  readonly #config: ManifestUrlConfig;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #text: string | undefined;
  /** The last fault: it is logged once. */
  #fault = '';

  constructor(config: ManifestUrlConfig, clock: Clock, logger: Logger) {
    this.place = withoutCredentials(config.url);
    this.#config = config;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The pods; undefined if they are the same as before, or cannot be read: then nothing new is known about them. */
  async read(signal: AbortSignal): Promise<readonly Pod[] | undefined> {
    try {
      const text = await this.#fetched(signal);
      const isSame = text === this.#text;
      this.#text = text;
      if (text === '') this.#report('zero-length data received');
      if (isSame) return undefined;
      const { nodeName } = this.#config;
      const pods = text === '' ? [] : staticPods(text, { place: this.place, nodeName });
      if (text !== '') this.#fault = '';
      return pods;
    } catch (error) {
      if (!signal.aborted) this.#report((error as Error).message);
      return undefined;
    }
  }

  async #fetched(signal: AbortSignal): Promise<string> {
    const late = new AbortController();
    const timer = this.#clock.after(timeoutMs, () => late.abort(new Error(`no answer within ${timeoutMs / 1000} s`)));
    try {
      const both = AbortSignal.any([signal, late.signal]);
      const response = await fetch(this.place, { headers: this.#headers(), signal: both }).catch((error: Error) => {
        both.throwIfAborted();
        throw error.cause instanceof Error ? error.cause : error;
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`the server answered ${response.status} ${response.statusText}`.trimEnd());
      }
      return await boundedText(response);
    } finally {
      timer.cancel();
    }
  }

  #headers(): Headers {
    const headers = new Headers();
    const { username, password } = new URL(this.#config.url);
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    if (credentials !== ':') headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
    for (const [name, values] of Object.entries(this.#config.headers))
      for (const value of values) headers.append(name, value);
    return headers;
  }

  #report(error: string): void {
    if (this.#fault !== error) this.#logger.error('static pods not read', { url: this.place, error });
    this.#fault = error;
  }
}

async function boundedText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > mostBytes) throw new Error(`the answer has more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
