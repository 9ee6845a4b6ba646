// Applies a text of one or more YAML documents: objects are created, or get the fields of the text.

import { useSignal } from '@preact/signals';
import { getJson, type KubeObject, objectIn } from '../api/api.ts';
import type { Failure } from '../api/failure.ts';
import { apply, kindFor } from '../api/write.ts';
import { Editor } from '../editor/editor.tsx';
import { asFailure, Diff, Refusal } from '../editor/review.tsx';
import { type DiffLine, diffLines } from '../model/diff.ts';
import { apiPath, kindId } from '../model/kinds.ts';
import { links } from '../router.ts';
import { namespace } from '../settings.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { report } from '../ui/toasts.tsx';

interface Result {
  readonly title: string;
  readonly link?: string;
  readonly state: 'new' | 'changed' | 'same' | 'done';
  readonly lines: readonly DiffLine[];
  readonly failure?: Failure;
}

const sample = `apiVersion: v1
kind: ConfigMap
metadata:
  name: example
data:
  key: value
`;

export function CreatePage() {
  const text = useSignal(sample);
  const results = useSignal<readonly Result[]>([]);
  const isBusy = useSignal(false);
  const isForced = useSignal(false);
  const canApply =
    results.value.length > 0 && results.value.every(({ failure, state }) => !failure && state !== 'done');
  const run = async (isDryRun: boolean) => {
    isBusy.value = true;
    const { documentsIn } = await import('../model/yaml.ts');
    try {
      const found: Result[] = [];
      for (const value of documentsIn(text.value)) found.push(await resultOf(value, isDryRun, isForced.value));
      results.value = found;
      if (!isDryRun && found.every(({ failure }) => !failure)) report(t('applied', { count: found.length }));
    } catch (error) {
      results.value = [{ title: '', state: 'same', lines: [], failure: asFailure(error) }];
    }
    isBusy.value = false;
  };
  const force = () => {
    isForced.value = true;
    void run(true);
  };
  return (
    <section class="create-page" aria-label={t('create')}>
      <header class="page-head">
        <h1 class="page-title">{t('create')}</h1>
        <span class="muted">{t('createLead', { namespace: namespace.value || 'default' })}</span>
      </header>
      <div class="edit pad-sides">
        <div class="edit-panes">
          <Editor
            initial={sample}
            label="YAML"
            onChange={(next) => {
              text.value = next;
              results.value = [];
              isForced.value = false;
            }}
            onSave={() => void run(!canApply)}
          />
          {results.value.length > 0 && (
            <div class="edit-review">
              {results.value.map((result, index) => (
                <ResultPart key={index} result={result} onForce={force} />
              ))}
            </div>
          )}
        </div>
        <div class="toolbar">
          <span class="grow" />
          <button type="button" disabled={isBusy.value} onClick={() => void run(true)}>
            {t('review')}
          </button>
          <button type="button" class="primary" disabled={isBusy.value || !canApply} onClick={() => void run(false)}>
            <Icon name="apply" />
            {t('apply')}
          </button>
        </div>
      </div>
    </section>
  );
}

const ResultPart = ({ result, onForce }: { result: Result; onForce(): void }) => (
  <section class="result">
    <h2>
      {result.link && result.state !== 'new' ? <a href={result.link}>{result.title}</a> : result.title}{' '}
      {!result.failure && <span class="muted">{t(`result.${result.state}`)}</span>}
    </h2>
    {result.failure && <Refusal failure={result.failure} onForce={onForce} />}
    {result.state === 'changed' && <Diff lines={result.lines} />}
  </section>
);

async function resultOf(value: unknown, isDryRun: boolean, isForced: boolean): Promise<Result> {
  const given = objectIn(value);
  if (!given) return { title: '', state: 'same', lines: [], failure: asFailure(new Error(t('incomplete'))) };
  const title = `${given.kind ?? ''} ${given.metadata.name}`;
  try {
    const kind = kindFor(given);
    const place = kind.isNamespaced ? given.metadata.namespace || namespace.value || 'default' : '';
    const object: KubeObject = { ...given, metadata: { ...given.metadata, ...(place && { namespace: place }) } };
    const path = apiPath(kind, place, given.metadata.name);
    const before = objectIn(await getJson(path).catch(() => undefined));
    const after = await apply(kind, object, { isDryRun, isForced });
    const link = links.object(kindId(kind), place, given.metadata.name);
    if (!isDryRun) return { title, link, state: 'done', lines: [] };
    if (!before) return { title, link, state: 'new', lines: [] };
    const lines = await differences(before, after);
    return { title, link, state: lines.length > 0 ? 'changed' : 'same', lines };
  } catch (error) {
    return { title, state: 'same', lines: [], failure: asFailure(error) };
  }
}

async function differences(before: KubeObject, after: KubeObject): Promise<DiffLine[]> {
  const { toYaml } = await import('../model/yaml.ts');
  const text = ({ metadata: { resourceVersion, ...metadata }, ...rest }: KubeObject) =>
    toYaml({ ...rest, metadata: { ...metadata, generation: undefined } });
  return diffLines(text(before), text(after));
}
