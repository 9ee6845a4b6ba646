// Returns a Deployment to the pod template of an earlier revision, as `kubectl rollout undo` does.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { getJson, type KubeObject, objectIn } from '../api/api.ts';
import { patch } from '../api/write.ts';
import { fieldChanges } from '../model/diff.ts';
import { apiPath, type Kind } from '../model/kinds.ts';
import { t } from '../text.ts';
import { closeDialog, Dialog, openDialog } from '../ui/dialogs.tsx';
import { FieldChanges } from '../ui/field-changes.tsx';
import { report, reportError } from '../ui/toasts.tsx';

export const askToRollBack = (kind: Kind, object: KubeObject): void =>
  openDialog(() => <RollBackDialog kind={kind} object={object} />);

interface Revision {
  readonly number: number;
  readonly template: object;
}

const annotation = 'deployment.kubernetes.io/revision';
const hash = 'pod-template-hash';

function RollBackDialog({ kind, object }: { kind: Kind; object: KubeObject }) {
  const { name, namespace = '' } = object.metadata;
  const revisions = useSignal<readonly Revision[] | undefined>(undefined);
  const chosen = useSignal(0);
  const isBusy = useSignal(false);
  useEffect(() => {
    revisionsOf(object).then((found) => {
      revisions.value = found;
      chosen.value = found[0]?.number ?? 0;
    }, reportError);
  }, [object, revisions, chosen]);
  const revision = revisions.value?.find(({ number }) => number === chosen.value);
  const run = async () => {
    if (!revision) return;
    isBusy.value = true;
    try {
      const body = [{ op: 'replace', path: '/spec/template', value: revision.template }];
      await patch(apiPath(kind, namespace, name), body, 'application/json-patch+json');
      report(t('rolledBack', { name, number: revision.number }));
      closeDialog();
    } catch (error) {
      reportError(error);
      isBusy.value = false;
    }
  };
  if (revisions.value?.length === 0)
    return (
      <Dialog title={t('rollBackTitle', { name })}>
        <p>{t('noRevisions')}</p>
      </Dialog>
    );
  return (
    <Dialog
      title={t('rollBackTitle', { name })}
      action={t('rollBack')}
      isBusy={isBusy.value}
      onAction={() => void run()}
    >
      <label class="field">
        {t('revision')}
        <select value={chosen.value} onChange={({ currentTarget }) => (chosen.value = Number(currentTarget.value))}>
          {revisions.value?.map(({ number }) => (
            <option key={number} value={number}>
              {number}
            </option>
          ))}
        </select>
      </label>
      {revision && <FieldChanges changes={fieldChanges(fieldsIn(object.spec)['template'], revision.template)} />}
    </Dialog>
  );
}

/** Earlier ones, newest first. */
async function revisionsOf({ metadata, spec }: KubeObject): Promise<Revision[]> {
  const { matchLabels } = fieldsIn(fieldsIn(spec)['selector']);
  const labelSelector = Object.entries(fieldsIn(matchLabels))
    .map(([name, value]) => `${name}=${textIn(value)}`)
    .join(',');
  const path = `/apis/apps/v1/namespaces/${encodeURIComponent(metadata.namespace ?? '')}/replicasets`;
  const list = await getJson(path, { query: { labelSelector } });
  const current = Number(metadata.annotations?.[annotation] ?? 0);
  return listIn(fieldsIn(list)['items'])
    .flatMap((item) => objectIn(item) ?? [])
    .filter((set) => set.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
    .map((set) => ({
      number: Number(set.metadata.annotations?.[annotation] ?? 0),
      template: withoutHash(fieldsIn(set.spec)['template']),
    }))
    .filter(({ number }) => number > 0 && number !== current)
    .sort((a, b) => b.number - a.number);
}

function withoutHash(template: unknown): object {
  const fields = fieldsIn(template);
  const metadata = fieldsIn(fields['metadata']);
  const { [hash]: _, ...labels } = fieldsIn(metadata['labels']);
  return { ...fields, metadata: { ...metadata, labels } };
}
