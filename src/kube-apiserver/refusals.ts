// Refused writes, for the console: the user, the part of the server that refused, and its reason. The last ones are kept.

export interface Refusal {
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly user: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  /** '': the write has none yet. */
  readonly name: string;
  readonly code: number;
  readonly message: string;
  /** An admission plugin, "authorization", or "validation". */
  readonly by: string;
}

/** Left out: all. */
export interface RefusedPlace {
  readonly group?: string;
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

const mostKept = 300;
const longestMessage = 2_000;

export class Refusals {
  readonly #kept: Refusal[] = [];

  note(refusal: Refusal): void {
    const { message } = refusal;
    this.#kept.push({ ...refusal, message: message.slice(0, longestMessage) });
    if (this.#kept.length > mostKept) this.#kept.shift();
  }

  find({ group, resource, namespace, name }: RefusedPlace): readonly Refusal[] {
    const fits = (wanted: string | undefined, found: string) => wanted === undefined || wanted === found;
    return this.#kept.filter(
      (one) =>
        fits(group, one.group) &&
        fits(resource, one.resource) &&
        fits(namespace, one.namespace) &&
        fits(name, one.name),
    );
  }
}

interface Refuser {
  readonly by: string;
  /** Of the object, where the path has none. */
  readonly name: string;
}

/** Errors do not say which part threw them. */
const refusers = new WeakMap<object, Refuser>();

/** Keeps the first part that is named for an error. */
export function refusedBy(error: unknown, by: string, name = ''): void {
  if (typeof error === 'object' && error !== null && !refusers.has(error)) refusers.set(error, { by, name });
}

export const refuserOf = (error: object): Refuser | undefined => refusers.get(error);
