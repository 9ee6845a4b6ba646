// The recent past of a resource: how far it is kept, and when it changed.

import { fieldsIn, isFields, listIn } from '../../../machinery/parsed.ts';

export interface Moment {
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
}

/** Changes at about one time; the moment is that after the last one. */
export interface Mark extends Moment {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
}

export interface History {
  /** The oldest state that is kept. */
  readonly since: Moment;
  readonly now: Moment;
  /** Ascending. */
  readonly marks: readonly Mark[];
  /** The state at the requested time. */
  readonly moment: Moment | undefined;
}

export function historyIn(answer: unknown): History {
  const { since, now, marks, moment } = fieldsIn(answer);
  return {
    since: momentIn(since),
    now: momentIn(now),
    marks: listIn(marks).map((mark) => {
      const { added, changed, deleted } = fieldsIn(mark);
      return { ...momentIn(mark), added: countIn(added), changed: countIn(changed), deleted: countIn(deleted) };
    }),
    moment: isFields(moment) ? momentIn(moment) : undefined,
  };
}

const momentIn = (value: unknown): Moment => {
  const { revision, timeMs } = fieldsIn(value);
  return { revision: countIn(revision), timeMs: countIn(timeMs) };
};

const countIn = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

/** The state before the change that made the shown one; the oldest state before all changes. */
export function stepBack({ since, marks }: History, timeMs: number): Moment {
  return marks.findLast((mark) => mark.timeMs < timeMs) ?? since;
}

/** Undefined: the present. */
export const stepForward = ({ marks }: History, timeMs: number): Moment | undefined =>
  marks.find((mark) => mark.timeMs > timeMs);

/** When an object got this revision, by the marks. */
export const timeOf = (marks: readonly Moment[], revision: number): number | undefined =>
  marks.find((mark) => mark.revision >= revision)?.timeMs;

/** The objects whose past a view is about. */
export interface PastPlace {
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** The resource of a kind's id: `deployments.apps`. */
export function placeOf(id: string, namespace: string, name = ''): PastPlace {
  const dot = id.indexOf('.');
  const [resource, group] = dot < 0 ? [id, ''] : [id.slice(0, dot), id.slice(dot + 1)];
  return { group, resource, ...(namespace && { namespace }), ...(name && { name }) };
}

export const placeQuery = ({ group, resource, namespace, name }: PastPlace): Record<string, string> => ({
  ...{ group, resource },
  ...(namespace && { namespace }),
  ...(name && { name }),
});

/** Fractions of a histogram's height, for each mark: many changes do not hide few. */
export function heightsOf(marks: readonly Mark[]): readonly number[] {
  const sizes = marks.map(({ added, changed, deleted }) => Math.log2(1 + added + changed + deleted));
  const largest = Math.max(1, ...sizes);
  return sizes.map((size) => (size > 0 ? 0.25 + 0.75 * (size / largest) : 0));
}
