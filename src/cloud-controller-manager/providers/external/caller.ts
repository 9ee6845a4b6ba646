// Calls a user's own cloud provider: a POST of JSON, with limits of time, size and attempts.

import * as http from 'node:http';
import * as https from 'node:https';
import type { ComponentContext } from '../../../client/client.ts';
import { trusting } from '../../../machinery/certificates/trusting.ts';
import { type Fields, textIn } from '../../../machinery/parsed.ts';
import { CloudError, messageOf, RetryAfterError } from '../../provider.ts';
import { readText } from '../config-file.ts';
import { type Answer, fieldsOfText, plainText, sendJson } from '../http-json.ts';
import type { ExternalConfig } from './external-config.ts';

const firstDelayMs = 500;
const longestRetryAfterSeconds = 3_600;
/** Answers that another attempt may change. */
const passing = [429, 500, 502, 503, 504];

/** Another attempt may succeed. */
class PassingError extends Error {}

interface CallerContext extends Pick<ComponentContext, 'clock' | 'random' | 'logger'> {
  readonly holdsLead: () => boolean;
}

export class Caller {
  readonly #config: ExternalConfig;
  readonly #context: CallerContext;
  readonly #stopped = new AbortController();
  #agent: { readonly of: string; readonly agent: http.Agent } | undefined;
  #problem: string | undefined;

  constructor(config: ExternalConfig, context: CallerContext) {
    this.#config = config;
    this.#context = context;
  }

  /** Why the last call had no answer; undefined after one that had. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Rejects with a text for the user. Each attempt is a new request, with an id that the answer repeats. */
  async call(name: string, parameters: object): Promise<Fields> {
    const { clock, random } = this.#context;
    for (let attempt = 0; ; attempt++)
      try {
        const answer = await this.#attempt(name, parameters);
        this.#note(undefined, name);
        return answer;
      } catch (error) {
        if (!(error instanceof PassingError)) {
          this.#note(undefined, name);
          throw error;
        }
        if (attempt >= this.#config.retries || this.#stopped.signal.aborted) {
          this.#note(error.message, name);
          throw new Error(`${name}: ${error.message}`);
        }
        await clock.sleep(firstDelayMs * 2 ** attempt * (1 + random.next()), this.#stopped.signal).catch(() => {});
      }
  }

  stop(): void {
    this.#stopped.abort();
    this.#agent?.agent.destroy();
  }

  /** Logs only changes: controllers log each call that fails. */
  #note(problem: string | undefined, call: string): void {
    const { logger } = this.#context;
    if (problem !== undefined && this.#problem === undefined)
      logger.warn('cloud provider does not answer', { url: this.#config.url, call, error: problem });
    if (problem === undefined && this.#problem !== undefined)
      logger.info('cloud provider answers again', { url: this.#config.url, call });
    this.#problem = problem;
  }

  async #attempt(name: string, parameters: object): Promise<Fields> {
    const { random, clock, holdsLead } = this.#context;
    if (!holdsLead()) throw new CloudError(`${name}: not sent, because this process does not lead any more`);
    const { cluster, timeoutMs } = this.#config;
    const requestID = random.uuid();
    const body = JSON.stringify({ apiVersion: 'cloud.coracle.local/v1', requestID, cluster, ...parameters });
    const limit = new AbortController();
    const timer = clock.after(timeoutMs, () => limit.abort(), { background: true });
    try {
      const signal = AbortSignal.any([limit.signal, this.#stopped.signal]);
      const answer = await this.#send(name, body, signal).catch((error) => {
        if (this.#stopped.signal.aborted) throw new Error(`${name}: the cloud-controller-manager stops`);
        throw new PassingError(limit.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : messageOf(error));
      });
      return contentOf(name, answer, requestID);
    } finally {
      timer.cancel();
    }
  }

  async #send(name: string, body: string, signal: AbortSignal): Promise<Answer> {
    const { url, files } = this.#config;
    const [ca, cert, key, token] = await Promise.all(
      [files.ca, files.cert, files.key, files.token].map((file) => (file === undefined ? undefined : readText(file))),
    );
    const target = new URL(`${url}/v1/${name}`);
    const agent = this.#agentFor({ ca, cert, key }, target.protocol === 'https:');
    return sendJson({ url: target, method: 'POST', body, agent, signal, token: token?.trim() });
  }

  /** A new one when the certificates have changed. */
  #agentFor(tls: { ca?: string; cert?: string; key?: string }, isSecure: boolean): http.Agent {
    const of = JSON.stringify(tls);
    if (this.#agent?.of === of) return this.#agent.agent;
    this.#agent?.agent.destroy();
    const options = { keepAlive: true, maxSockets: 64 };
    const agent = isSecure ? new https.Agent({ ...options, ...tls, ...trusting(tls.ca) }) : new http.Agent(options);
    this.#agent = { of, agent };
    return agent;
  }
}

/** The fields of an answer to this request. A cached or a general answer, such as a gateway's, is none. */
function contentOf(name: string, { code, text }: Answer, requestID: string): Fields {
  const fields = fieldsOfText(text);
  if (code === 200) {
    if (fields?.['requestID'] === requestID) return fields;
    throw new Error(`${name}: the answer ${fields ? 'does not repeat the requestID' : 'is no JSON object'}`);
  }
  const said = plainText(textIn(fields?.['message']));
  const message = said || `HTTP status ${code}`;
  const seconds = fields?.['retryAfterSeconds'];
  if (fields?.['requestID'] === requestID && typeof seconds === 'number' && seconds > 0)
    throw new RetryAfterError(`${name}: ${message}`, Math.min(seconds, longestRetryAfterSeconds) * 1000);
  if (passing.includes(code)) throw new PassingError(message);
  throw new Error(`${name}: ${message}`);
}
