// Credential providers: programs that give the credentials for an image at the moment of its pull.
// https://kubernetes.io/docs/tasks/administer-cluster/kubelet-credential-provider/ and KEP-2133.

import { spawn } from 'node:child_process';
import path from 'node:path';
import type { Logger } from '../../machinery/logger.ts';
import { isFields } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { parseDuration } from '../../machinery/time/duration.ts';
import type { CredentialProvider } from './credential-config.ts';
import { type Credentials, type Entries, isMatch, lookUp } from './keyring.ts';

interface ProviderParts {
  readonly providers: readonly CredentialProvider[];
  /** Directory of their programs. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Answer {
  /** Of the images for which the answer is valid. */
  readonly key: string;
  readonly keptMs: number;
  readonly entries: Entries;
}

const longestMs = 60_000;
const mostOutput = 1 << 20;
const mostErrors = 4096;
const mostKept = 1_000;
const anyImage = '*';

export class CredentialProviders {
  readonly #parts: ProviderParts;
  /** By provider and image, registry or anything. */
  readonly #kept = new Map<string, { readonly entries: Entries; readonly untilMs: number }>();
  readonly #asked = new Map<string, Promise<Entries>>();

  constructor(parts: ProviderParts) {
    this.#parts = parts;
  }

  /** `image`: its name without a tag. A provider that fails has none, and is logged. */
  async credentials(image: string): Promise<Credentials[]> {
    const { providers, logger } = this.#parts;
    const asked = providers.filter(({ matchImages }) => matchImages.some((location) => isMatch(location, image)));
    const answers = await Promise.all(
      asked.map((provider) =>
        this.#entries(provider, image).catch((error: Error) => {
          logger.warn('credential provider failed', { provider: provider.name, image, error: error.message });
          return [] as Entries;
        }),
      ),
    );
    return lookUp(answers.flat(), image);
  }

  #entries(provider: CredentialProvider, image: string): Promise<Entries> {
    const nameOf = (key: string) => `${provider.name} ${key}`;
    for (const key of [image, registryOf(image), anyImage]) {
      const kept = this.#kept.get(nameOf(key));
      if (kept && kept.untilMs > this.#parts.clock.now()) return Promise.resolve(kept.entries);
    }
    // Pods that start together ask once.
    const asked = this.#asked.get(nameOf(image));
    if (asked) return asked;
    const asking = this.#ask(provider, image)
      .then(({ key, keptMs, entries }) => {
        if (this.#kept.size >= mostKept) this.#kept.clear();
        if (keptMs > 0) this.#kept.set(nameOf(key), { entries, untilMs: this.#parts.clock.now() + keptMs });
        return entries;
      })
      .finally(() => this.#asked.delete(nameOf(image)));
    this.#asked.set(nameOf(image), asking);
    return asking;
  }

  async #ask(provider: CredentialProvider, image: string): Promise<Answer> {
    const { apiVersion } = provider;
    const request = { kind: 'CredentialProviderRequest', apiVersion, image };
    const text = await this.#run(provider, `${JSON.stringify(request)}\n`);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new Error('its answer is not JSON'); // which may have a password
    }
    return answerOf(answer, provider, image);
  }

  #run({ name, args, env }: CredentialProvider, input: string): Promise<string> {
    const { directory, clock } = this.#parts;
    return new Promise((resolve, reject) => {
      const child = spawn(path.join(directory, name), args, {
        env: { ...process.env, ...Object.fromEntries(env.map((variable) => [variable.name, variable.value])) },
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true, // its own processes end with it
      });
      const end = (why: string) => {
        reject(new Error(why));
        if (child.pid === undefined) return;
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {} // it has ended
      };
      const timer = clock.after(longestMs, () => end('no answer within a minute'));
      const output: Buffer[] = [];
      let [length, errors] = [0, ''];
      child.stdout.on('data', (chunk: Buffer) => {
        output.push(chunk);
        if ((length += chunk.length) > mostOutput) end('its answer has more than 1 MiB');
      });
      child.stderr.on('data', (chunk) => {
        errors = (errors + chunk).slice(0, mostErrors);
      });
      child.stdin.on('error', () => {}); // it has not read all
      child.stdin.end(input);
      child.on('error', (error) => {
        timer.cancel();
        reject(error);
      });
      child.on('close', (code, signal) => {
        timer.cancel();
        if (code === 0) resolve(Buffer.concat(output).toString());
        else reject(new Error(`${signal ?? `exit status ${code}`}: ${errors.trim()}`));
      });
    });
  }
}

const registryOf = (image: string): string => image.split('/')[0];

/** Its fields are the program's: each is checked. */
function answerOf(answer: unknown, provider: CredentialProvider, image: string): Answer {
  if (!isFields(answer)) throw new Error('its answer is not an object');
  const { apiVersion, kind, cacheKeyType, cacheDuration, auth } = answer;
  if (apiVersion !== provider.apiVersion || kind !== 'CredentialProviderResponse')
    throw new Error(`its answer is not a CredentialProviderResponse of ${provider.apiVersion}`);
  const keys = new Map<unknown, string>([
    ['Image', image],
    ['Registry', registryOf(image)],
    ['Global', anyImage],
  ]);
  const key = keys.get(cacheKeyType);
  if (key === undefined) throw new Error('cacheKeyType must be Image, Registry or Global');
  const given = typeof cacheDuration === 'string' ? parseDuration(cacheDuration) : undefined;
  if (given === undefined && cacheDuration !== undefined && cacheDuration !== null)
    throw new Error('cacheDuration is no duration');
  const entries = Object.entries(isFields(auth) ? auth : {}).map(([location, value]) => {
    if (!isFields(value)) throw new Error('auth has an entry that is not an object');
    const { username = '', password = '' } = value;
    if (typeof username !== 'string' || typeof password !== 'string')
      throw new Error('auth has a username or password that is no text');
    return [location, { username, password }] as const;
  });
  return { key, keptMs: given ?? provider.defaultCacheMs, entries };
}
