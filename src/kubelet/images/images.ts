// Pulls a container's image by its pull policy, with back-off and Kubernetes' events.
// https://kubernetes.io/docs/concepts/containers/images/

import type { Container, Pod, Secret } from '../../api/api.ts';
import { type ContainerRuntime, normalizeReference } from '../../container-runtime/container-runtime.ts';
import { must } from '../../machinery/must.ts';
import { type Delay, nextDelay, remainingMs } from '../../machinery/time/backoff.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { isTurnOver, ownTurn } from '../../machinery/time/turn.ts';
import { unlessAborted } from '../pods/unless-aborted.ts';
import type { CredentialProviders } from './credential-providers.ts';
import { type Credentials, type Entries, entriesFor, entriesOf, lookUp } from './keyring.ts';

/** The image is missing: the content of state.waiting. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly reason: 'ErrImagePull' | 'ImagePullBackOff' | 'ErrImageNeverPull' | 'InvalidImageName';
  constructor(reason: ImageError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

type Emit = (type: 'Normal' | 'Warning', reason: string, message: string) => void;

/** One download, and the number of pods that wait for it. */
interface Pull {
  readonly done: Promise<string>;
  readonly cancel: AbortController;
  waiting: number;
}

const pullDelays = { firstMs: 10_000, longestMs: 300_000 };

export class ImageManager {
  readonly #runtime: ContainerRuntime;
  readonly #clock: Clock;
  /** By pod and reference, until a pull succeeds. */
  readonly #failures = new Map<string, { atMs: number; message: string; delay: Delay }>();
  readonly #pulling = new Map<string, Pull>();

  readonly #providers: CredentialProviders | undefined;

  constructor(runtime: ContainerRuntime, clock: Clock, providers?: CredentialProviders) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#providers = providers;
  }

  /** The id of the image. Throws ImageError, or the reason of `signal` once that aborts. */
  async ensure(
    pod: Pod,
    container: Container,
    secrets: readonly Secret[],
    emit: Emit,
    signal: AbortSignal,
  ): Promise<string> {
    const reference = container.image ?? '';
    const problem = whyNoReference(reference);
    if (problem) {
      const message = `Failed to apply default image tag ${JSON.stringify(reference)}: ${problem}`;
      emit('Warning', 'InspectFailed', message);
      throw new ImageError('InvalidImageName', message);
    }
    const policy = container.imagePullPolicy ?? 'IfNotPresent';
    const present = policy === 'Always' ? undefined : await this.#runtime.imageStatus(reference);
    if (present) {
      emit(
        'Normal',
        'Pulled',
        `Container image "${reference}" already present on machine and can be accessed by the pod`,
      );
      return present.id;
    }
    if (policy === 'Never') {
      emit('Warning', 'ErrImageNeverPull', `Container image "${reference}" is not present with pull policy of Never`);
      throw new ImageError(
        'ErrImageNeverPull',
        `Container image "${reference}" is not present with pull policy of Never`,
      );
    }
    return this.#pull(pod, reference, secrets, emit, signal);
  }

  async #pull(
    pod: Pod,
    reference: string,
    secrets: readonly Secret[],
    emit: Emit,
    signal: AbortSignal,
  ): Promise<string> {
    const key = `${pod.metadata.uid}_${reference}`;
    const failure = this.#failures.get(key);
    if (failure && this.#waitMs(failure) > 0) {
      emit('Normal', 'BackOff', `Back-off pulling image "${reference}"`);
      throw new ImageError(
        'ImagePullBackOff',
        `Back-off pulling image "${reference}": ErrImagePull: ${failure.message}`,
      );
    }
    emit('Normal', 'Pulling', `Pulling image "${reference}"`);
    const startedMs = this.#clock.monotonic();
    try {
      const id = await this.#pullOnce(reference, secrets, signal);
      const tookMs = Math.round(this.#clock.monotonic() - startedMs);
      const took = tookMs < 1000 ? `${tookMs}ms` : `${tookMs / 1000}s`;
      const size = (await this.#runtime.imageStatus(reference))?.sizeBytes ?? 0;
      emit(
        'Normal',
        'Pulled',
        `Successfully pulled image "${reference}" in ${took} (${took} including waiting). Image size: ${size} bytes.`,
      );
      this.#failures.delete(key);
      return id;
    } catch (error) {
      signal.throwIfAborted(); // all waiting pods are gone: not a failure
      const message = (error as Error).message;
      const atMs = this.#clock.now();
      this.#failures.set(key, { atMs, message, delay: nextDelay(failure?.delay, atMs, pullDelays) });
      emit('Warning', 'Failed', `Failed to pull image "${reference}": ${message}`);
      throw new ImageError('ErrImagePull', message);
    }
  }

  /** Pods with the same image and credentials share one pull. It is cancelled when the last of them is gone. */
  async #pullOnce(reference: string, secrets: readonly Secret[], signal: AbortSignal): Promise<string> {
    const credentials = await this.#credentials(reference, secrets);
    signal.throwIfAborted();
    const key = JSON.stringify([reference, credentials]);
    let pull = this.#pulling.get(key);
    if (!pull) {
      const cancel = new AbortController();
      const done = this.#pullWith(reference, credentials, cancel.signal).finally(() => {
        if (this.#pulling.get(key)?.done === done) this.#pulling.delete(key);
      });
      pull = { done, cancel, waiting: 0 };
      this.#pulling.set(key, pull);
    }
    pull.waiting++;
    try {
      return await unlessAborted(pull.done, signal);
    } finally {
      if (--pull.waiting === 0 && signal.aborted) {
        this.#pulling.delete(key);
        pull.cancel.abort();
      }
    }
  }

  /** Those of the pod come before those of the node. */
  async #credentials(reference: string, secrets: readonly Secret[]): Promise<Credentials[]> {
    const image = nameOf(reference);
    const entries: Entries[number][] = [];
    for (const secret of secrets) {
      // A pod may name hundreds of secrets, each with tens of thousands of registries.
      if (isTurnOver(this.#clock)) await ownTurn();
      entries.push(...entriesFor(entriesOf([secret]), image));
    }
    return [...lookUp(entries, image), ...((await this.#providers?.credentials(image)) ?? [])];
  }

  /** The first credentials that the registry accepts count. */
  async #pullWith(reference: string, credentials: readonly Credentials[], signal: AbortSignal): Promise<string> {
    if (credentials.length === 0) return this.#runtime.pullImage(reference, undefined, signal);
    const problems: Error[] = [];
    for (const each of credentials)
      try {
        return await this.#runtime.pullImage(reference, each, signal);
      } catch (error) {
        signal.throwIfAborted();
        problems.push(error as Error);
      }
    if (problems.length === 1) throw problems[0];
    throw new Error(`[${[...new Set(problems.map(({ message }) => message))].join(', ')}]`);
  }

  /** How long until the next try of any image of the pod, 0 when none waits. */
  retryAfterMs(pod: Pod): number {
    const waits = [...this.#failures]
      .filter(([key]) => key.startsWith(`${pod.metadata.uid}_`))
      .map(([, failure]) => this.#waitMs(failure));
    return waits.length > 0 ? Math.min(...waits) : 0;
  }

  #waitMs({ delay, atMs }: { readonly delay: Delay; readonly atMs: number }): number {
    return remainingMs(delay, atMs, this.#clock.now(), pullDelays);
  }

  forget(podUid: string): void {
    for (const key of this.#failures.keys()) if (key.startsWith(`${podUid}_`)) this.#failures.delete(key);
  }
}

/** Without tag and digest. */
const nameOf = (reference: string): string => must(/^(.*?)(?::[^/]*)?(?:@.*)?$/.exec(reference), 'match')[1];

/** As the parser of Docker's references words it; undefined for a reference. */
function whyNoReference(reference: string): string | undefined {
  const problemOf = (text: string) => {
    try {
      normalizeReference(text);
      return undefined;
    } catch {
      return 'invalid reference format';
    }
  };
  const problem = problemOf(reference);
  if (!problem) return undefined;
  const name = nameOf(reference);
  const onlyCase = name !== name.toLowerCase() && !problemOf(reference.replace(name, name.toLowerCase()));
  const why = onlyCase
    ? `${problem}: repository name (${name.includes('/') ? name : `library/${name}`}) must be lowercase`
    : problem;
  return `couldn't parse image name ${JSON.stringify(reference)}: ${why}`;
}
