// The attempts to attach and detach volumes, by volume and node. A new controller begins them again.

/** Kubernetes' time limit of an attachment. */
const longestAttachMs = 120_000;
const firstBackoffMs = 500;
const longestBackoffMs = 2 * 60_000 + 2_000;

interface Attempt {
  /** When the attachment was requested. */
  attachSinceMs?: number;
  /** After a failure, until the next look. */
  backoffMs?: number;
  lookAgainMs?: number;
  isRefused?: boolean;
  unwantedSinceMs?: number;
  isDetaching?: boolean;
}

export class Attempts {
  /** By volume, then by node. */
  readonly #attempts = new Map<string, Map<string, Attempt>>();

  #of(volume: string, node: string): Attempt {
    const ofVolume = this.#attempts.get(volume) ?? new Map<string, Attempt>();
    this.#attempts.set(volume, ofVolume);
    const attempt = ofVolume.get(node) ?? {};
    ofVolume.set(node, attempt);
    return attempt;
  }

  /** The volume concerns these nodes only. */
  keep(volume: string, nodes: readonly string[]): void {
    const ofVolume = this.#attempts.get(volume);
    for (const node of ofVolume?.keys() ?? []) if (!nodes.includes(node)) ofVolume?.delete(node);
    if (ofVolume?.size === 0) this.#attempts.delete(volume);
  }

  /** Since when no pod wants an attached volume; a pod that wants it ends a detachment. */
  unwanted(volume: string, node: string, isWanted: boolean, nowMs: number): number | undefined {
    const attempt = this.#of(volume, node);
    if (isWanted) {
      attempt.unwantedSinceMs = undefined;
      attempt.isDetaching = false;
      return undefined;
    }
    attempt.attachSinceMs = undefined;
    attempt.isRefused = false;
    return (attempt.unwantedSinceMs ??= nowMs);
  }

  /** Returns the time after which an attachment is late. */
  begin(volume: string, node: string, nowMs: number): number {
    const attempt = this.#of(volume, node);
    attempt.attachSinceMs = nowMs;
    attempt.isRefused = false;
    return longestAttachMs;
  }

  /** A failure to report now, and the time of the next look. */
  look(
    volume: string,
    node: string,
    { error, late }: { readonly error: string | undefined; readonly late: string },
    nowMs: number,
  ): { readonly failure?: string; readonly delayMs: number } {
    const attempt = this.#of(volume, node);
    attempt.attachSinceMs ??= nowMs;
    if (attempt.lookAgainMs !== undefined && nowMs < attempt.lookAgainMs)
      return { delayMs: attempt.lookAgainMs - nowMs };
    const leftMs = attempt.attachSinceMs + longestAttachMs - nowMs;
    if (error === undefined && leftMs > 0) return { delayMs: leftMs };
    const backoffMs = Math.min((attempt.backoffMs ?? firstBackoffMs / 2) * 2, longestBackoffMs);
    attempt.backoffMs = backoffMs;
    attempt.lookAgainMs = nowMs + backoffMs;
    attempt.attachSinceMs = nowMs + backoffMs;
    return { failure: error ?? late, delayMs: backoffMs };
  }

  /** True for an attachment that this controller requested, once. */
  succeeded(volume: string, node: string): boolean {
    const attempt = this.#of(volume, node);
    const isNew = attempt.attachSinceMs !== undefined;
    this.#attempts.get(volume)?.delete(node);
    return isNew;
  }

  /** True the first time. */
  refuse(volume: string, node: string): boolean {
    const attempt = this.#of(volume, node);
    const isNew = !attempt.isRefused;
    attempt.isRefused = true;
    return isNew;
  }

  detach(volume: string, node: string): void {
    this.#of(volume, node).isDetaching = true;
  }

  isDetaching(volume: string, node: string): boolean {
    return this.#attempts.get(volume)?.get(node)?.isDetaching ?? false;
  }
}
