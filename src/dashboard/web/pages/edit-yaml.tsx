// Edits an object as YAML, with a look at the differences before they are written.

import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { getJson, type KubeObject, objectIn } from '../api/api.ts';
import { Failure } from '../api/failure.ts';
import { apply, update } from '../api/write.ts';
import { Editor } from '../editor/editor.tsx';
import { asFailure, Diff, Refusal } from '../editor/review.tsx';
import { type DiffLine, diffLines } from '../model/diff.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { go, links, setQuery } from '../router.ts';
import { t } from '../text.ts';
import { report } from '../ui/toasts.tsx';

interface Props {
  readonly kind: Kind;
  readonly object: KubeObject;
}

type Mode = 'update' | 'apply';

/** The outcome of a dry run. */
type Outcome = { readonly lines: readonly DiffLine[] } | { readonly failure: Failure };

interface Editing {
  /** Undefined until the text is read. */
  readonly initial: Signal<string | undefined>;
  readonly mode: Signal<Mode>;
  readonly outcome: Signal<Outcome | undefined>;
  readonly isBusy: Signal<boolean>;
  readonly isStale: boolean;
  readonly isReviewed: boolean;
  change(text: string): void;
  setMode(mode: Mode): void;
  run(isDryRun: boolean): void;
  /** Takes over the fields of other managers. */
  force(): void;
  /** Begins again with the newest version. */
  reload(): void;
}

function useEditing(kind: Kind, object: KubeObject): Editing {
  const base = useRef(object);
  const isStale = !isSameWish(kind, object, base.current);
  const newest = useRef(object);
  if (!isStale) newest.current = object;
  const text = useRef('');
  const isForced = useRef(false);
  const initial = useSignal<string | undefined>(undefined);
  const mode = useSignal<Mode>('update');
  const outcome = useSignal<Outcome | undefined>(undefined);
  const isBusy = useSignal(false);
  const begin = () => {
    void import('../model/yaml.ts').then(({ toYaml }) => {
      text.current = initial.value = toYaml(editable(kind, base.current));
    });
  };
  useEffect(begin, [kind]);
  const reset = () => {
    outcome.value = undefined;
    isForced.current = false;
  };
  const run = async (isDryRun: boolean) => {
    isBusy.value = true;
    const write = { mode: mode.value, isDryRun, isForced: isForced.current };
    outcome.value = await outcomeOf(kind, { base: base.current, newest: newest.current }, text.current, write);
    isBusy.value = false;
  };
  return {
    ...{ initial, mode, outcome, isBusy },
    isStale,
    isReviewed: outcome.value !== undefined && 'lines' in outcome.value,
    change(next) {
      text.current = next;
      reset();
    },
    setMode(next) {
      mode.value = next;
      reset();
    },
    run: (isDryRun) => void run(isDryRun),
    force() {
      isForced.current = true;
      void run(true);
    },
    reload() {
      base.current = newest.current = object;
      initial.value = undefined;
      reset();
      begin();
    },
  };
}

export function EditYaml({ kind, object }: Props) {
  const editing = useEditing(kind, object);
  const { initial, outcome, isReviewed } = editing;
  if (initial.value === undefined) return <div class="skeleton" aria-busy="true" />;
  return (
    <div class="edit">
      {editing.isStale && <StaleNotice reload={editing.reload} />}
      <div class="edit-panes">
        <Editor
          initial={initial.value}
          label="YAML"
          onChange={editing.change}
          onSave={() => editing.run(!isReviewed)}
        />
        {outcome.value && (
          <div class="edit-review">
            {'lines' in outcome.value ? (
              <Diff lines={outcome.value.lines} />
            ) : (
              <Refusal failure={outcome.value.failure} onForce={editing.force} />
            )}
          </div>
        )}
      </div>
      <EditBar editing={editing} />
    </div>
  );
}

function EditBar({ editing: { mode, isBusy, isReviewed, setMode, run } }: { editing: Editing }) {
  return (
    <div class="toolbar">
      <label class="check-label">
        {t('writeAs')}
        <select
          value={mode.value}
          onChange={({ currentTarget }) => setMode(currentTarget.value === 'apply' ? 'apply' : 'update')}
        >
          <option value="update">{t('writeAs.update')}</option>
          <option value="apply">{t('writeAs.apply')}</option>
        </select>
      </label>
      <span class="grow" />
      <button type="button" class="quiet" onClick={() => setQuery({ edit: '' })}>
        {t('cancel')}
      </button>
      <button type="button" disabled={isBusy.value} onClick={() => run(true)}>
        {t('review')}
      </button>
      <button type="button" class="primary" disabled={isBusy.value || !isReviewed} onClick={() => run(false)}>
        {t('save')}
      </button>
    </div>
  );
}

const StaleNotice = ({ reload }: { reload(): void }) => (
  <div class="notice busy" role="status">
    {t('changedMeanwhile')}{' '}
    <button type="button" onClick={reload}>
      {t('loadNewest')}
    </button>
  </div>
);

interface Write {
  readonly mode: Mode;
  readonly isDryRun: boolean;
  readonly isForced: boolean;
}

interface Versions {
  /** The one that is edited. */
  readonly base: KubeObject;
  /** It differs from the base in its status alone. */
  readonly newest: KubeObject;
}

/** Undefined: the object is written, and the page shows it. */
async function outcomeOf(
  kind: Kind,
  { base, newest }: Versions,
  text: string,
  write: Write,
): Promise<Outcome | undefined> {
  const { mode, isDryRun, isForced } = write;
  try {
    const { toYaml, fromYaml } = await import('../model/yaml.ts');
    const edited = editedObject(fromYaml(text), base);
    const written = await (mode === 'apply'
      ? apply(kind, edited, { isDryRun, isForced })
      : updated(kind, edited, { base, newest }, isDryRun));
    const textOf = (object: KubeObject) => toYaml(comparable(editable(kind, object)));
    if (isDryRun) return { lines: diffLines(textOf(base), textOf(written)) };
    report(t('saved'));
    go(links.object(kindId(kind), written.metadata.namespace ?? '', written.metadata.name, 'yaml'));
    return undefined;
  } catch (error) {
    return { failure: asFailure(error) };
  }
}

/** A write of the object does not change its status, where that is a subresource. */
function editable(kind: Kind, object: KubeObject): KubeObject {
  if (!kind.subresources.includes('status')) return object;
  const { status: _, ...rest } = object;
  return rest;
}

/** Without the fields that change with every write. */
function comparable({ metadata, ...object }: KubeObject): KubeObject {
  const { resourceVersion, generation, ...rest } = metadata as KubeObject['metadata'] & { generation?: number };
  return { ...object, metadata: rest };
}

const mostAttempts = 4;

/** A status that is written meanwhile refuses no edit. */
async function updated(kind: Kind, edited: KubeObject, { base, newest }: Versions, isDryRun: boolean) {
  let current = newest;
  for (let attempt = 1; ; attempt++)
    try {
      return await update(kind, withoutConflict(edited, base, current), { isDryRun });
    } catch (error) {
      const isConflict = error instanceof Failure && error.code === 409;
      if (!isConflict || attempt === mostAttempts) throw error;
      const found = objectIn(await getJson(apiPath(kind, base.metadata.namespace, base.metadata.name)));
      if (!found || !isSameWish(kind, found, base)) throw error;
      current = found;
    }
}

/** Controllers write the status of a workload that crashes again and again: the edited fields stay the same. */
function isSameWish(kind: Kind, a: KubeObject, b: KubeObject): boolean {
  if (a.metadata.resourceVersion === b.metadata.resourceVersion) return true;
  const wishOf = (object: KubeObject) => {
    const { metadata, ...rest } = comparable(editable(kind, object));
    const { managedFields, ...others } = metadata;
    return JSON.stringify({ ...rest, metadata: others });
  };
  return wishOf(a) === wishOf(b);
}

function withoutConflict(
  edited: KubeObject,
  base: KubeObject,
  { metadata: { resourceVersion } }: KubeObject,
): KubeObject {
  const { metadata } = edited;
  if (!resourceVersion || metadata.resourceVersion !== base.metadata.resourceVersion) return edited;
  return { ...edited, metadata: { ...metadata, resourceVersion } };
}

type Parsed = { ok: true; value: Readonly<Record<string, unknown>> } | { ok: false; message: string };

function editedObject(parsed: Parsed, { metadata: { name } }: KubeObject): KubeObject {
  if (!parsed.ok) throw new Error(parsed.message);
  const object = objectIn(parsed.value);
  if (object?.metadata.name !== name) throw new Error(t('nameFixed'));
  return object;
}
