// A lesson is a file of data: texts by language, and steps. A step is done when its check, an expression (CEL) over
// objects of the cluster, is true. Add one: a file in lessons/, and a line in lessons.ts.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

type Texts = Readonly<Record<string, string>>;

/** A change of the lab: the body of its request. `{node}` stands for the node of the lesson. */
export type LabChange = Readonly<Record<string, string | number | boolean>>;

export interface Step {
  readonly text: Texts;
  /** YAML that the page applies. */
  readonly manifest: string;
  /** Commands for a terminal; one that begins with `!` is refused by the server, as the lesson shows. */
  readonly run: readonly string[];
  readonly lab: readonly LabChange[];
  /** Paths of lists, by the variable of the check that has their items. */
  readonly objects: Texts;
  readonly check: string;
}

export interface Lesson {
  readonly id: string;
  readonly title: Texts;
  readonly text: Texts;
  readonly steps: readonly Step[];
  /** Commands that remove the objects of the lesson. */
  readonly cleanup: readonly string[];
}

/** Throws for data of another form, with the place of the fault. */
export function lessonOf(value: unknown): Lesson {
  const { id, title, text, steps, cleanup } = fieldsIn(value);
  const name = textIn(id);
  if (!/^[a-z][a-z-]*$/.test(name)) throw new Error(`a lesson needs an id in lower case, not ${JSON.stringify(id)}`);
  const read = listIn(steps).map((step, index) => stepOf(step, `${name}, step ${index + 1}`));
  if (read.length === 0) throw new Error(`${name} has no steps`);
  return {
    ...{ id: name, title: textsOf(title, `${name}: title`), text: textsOf(text, `${name}: text`), steps: read },
    cleanup: listIn(cleanup).map(textIn),
  };
}

function stepOf(value: unknown, place: string): Step {
  const { text, manifest, run, lab, objects, check } = fieldsIn(value);
  if (textIn(check) === '') throw new Error(`${place} has no check`);
  const paths = Object.entries(fieldsIn(objects)).map(([name, path]) => [name, textIn(path)] as const);
  if (!paths.every(([name, path]) => /^[a-z]+$/.test(name) && path.startsWith('/')))
    throw new Error(`${place}: objects are variables in lower case with paths`);
  return {
    ...{ text: textsOf(text, place), manifest: textIn(manifest), check: textIn(check) },
    ...{ run: listIn(run).map(textIn), lab: listIn(lab).map(changeOf), objects: Object.fromEntries(paths) },
  };
}

function textsOf(value: unknown, place: string): Texts {
  const texts = Object.entries(fieldsIn(value)).map(([language, text]) => [language, textIn(text)] as const);
  if (!texts.some(([language, text]) => language === 'en' && text)) throw new Error(`${place} has no English text`);
  return Object.fromEntries(texts);
}

function changeOf(value: unknown): LabChange {
  const change: Record<string, string | number | boolean> = {};
  for (const [name, field] of Object.entries(fieldsIn(value)))
    if (typeof field === 'string' || typeof field === 'number' || typeof field === 'boolean') change[name] = field;
  return change;
}

export const withNode = (text: string, node: string): string => text.replaceAll('{node}', node);

export const changeFor = (change: LabChange, node: string): LabChange =>
  change['node'] === '{node}' ? { ...change, node } : change;
