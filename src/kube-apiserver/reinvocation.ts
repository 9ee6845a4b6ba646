// The second round of mutations. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy

import { deepEqual } from '../machinery/collections/equal.ts';

/** A write that is admitted. */
interface Admitted {
  readonly object: object | undefined;
  reinvocation?: Reinvocation;
}

export class Reinvocation {
  /** A policy or webhook changed the object. */
  isWanted = false;
  /** This is the second round, and the last one. */
  isAgain = false;
  readonly #byPlugin = new Map<string, Reinvocable>();

  of(plugin: string): Reinvocable {
    let found = this.#byPlugin.get(plugin);
    if (!found) this.#byPlugin.set(plugin, (found = new Reinvocable(this)));
    return found;
  }
}

/** The policies or webhooks of one plugin that may be called a second time. */
export class Reinvocable {
  readonly #round: Reinvocation;
  #called = new Set<string>();
  readonly #due = new Set<string>();
  #left: object | undefined;

  constructor(round: Reinvocation) {
    this.#round = round;
  }

  /** The second round makes no first calls. */
  skips(key: string): boolean {
    return this.#round.isAgain && !this.#due.has(key);
  }

  /** 0 for the first round. */
  get round(): 0 | 1 {
    return this.#round.isAgain ? 1 : 0;
  }

  /** `key` was called, and requests reinvocation after later changes. */
  remember(key: string): void {
    this.#called.add(key);
  }

  /** The object was changed: all that were called before are due. */
  changed(): void {
    this.#round.isWanted = true;
    this.#dueAgain();
  }

  #dueAgain(): void {
    for (const key of this.#called) this.#due.add(key);
    this.#called = new Set();
  }

  /** Begins the plugin's turn: in the second round the other plugins may have changed the object. */
  begin({ object }: Admitted): void {
    if (this.#round.isAgain && !deepEqual(this.#left, object)) this.#dueAgain();
  }

  /** Ends the plugin's turn. */
  end({ object }: Admitted): void {
    // Without a repeated call, there is no comparison.
    this.#left = this.#called.size ? structuredClone(object) : undefined;
  }
}

export function reinvocationOf(attributes: Admitted, plugin: string): Reinvocable {
  attributes.reinvocation ??= new Reinvocation();
  return attributes.reinvocation.of(plugin);
}
