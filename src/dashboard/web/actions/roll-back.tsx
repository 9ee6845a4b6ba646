// Returns a workload to the pod template of an earlier revision, as `kubectl rollout undo` does.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { getJson, type KubeObject } from '../api/api.ts';
import { patch } from '../api/write.ts';
import { fieldChanges } from '../model/diff.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { earlierRevisions, type Revision, revisionKeepers } from '../model/revisions.ts';
import { t } from '../text.ts';
import { closeDialog, Dialog, openDialog } from '../ui/dialogs.tsx';
import { FieldChanges } from '../ui/field-changes.tsx';
import { report, reportError } from '../ui/toasts.tsx';

export const askToRollBack = (kind: Kind, object: KubeObject): void =>
  openDialog(() => <RollBackDialog kind={kind} object={object} />);

export const canRollBack = (kind: Kind): boolean => kindId(kind) in revisionKeepers;

function RollBackDialog({ kind, object }: { kind: Kind; object: KubeObject }) {
  const { name, namespace = '' } = object.metadata;
  const revisions = useSignal<readonly Revision[] | undefined>(undefined);
  const chosen = useSignal(0);
  const isBusy = useSignal(false);
  useEffect(() => {
    revisionsOf(kind, object).then((found) => {
      revisions.value = found;
      chosen.value = found[0]?.number ?? 0;
    }, reportError);
  }, [object, revisions, chosen]);
  const revision = revisions.value?.find(({ number }) => number === chosen.value);
  const changes = revision ? fieldChanges(fieldsIn(fieldsIn(object.spec)['template']), revision.template) : [];
  const run = async () => {
    if (!revision) return;
    isBusy.value = true;
    try {
      const { body, contentType } = revision.patch;
      await patch(apiPath(kind, namespace, name), body, contentType);
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
      isBusy={isBusy.value || changes.length === 0}
      onAction={() => void run()}
    >
      <label class="field">
        {t('revision')}
        <select value={chosen.value} onChange={({ currentTarget }) => (chosen.value = Number(currentTarget.value))}>
          {revisions.value?.map(({ number, cause }) => (
            <option key={number} value={number}>
              {cause ? `${number}: ${cause}` : number}
            </option>
          ))}
        </select>
      </label>
      {revision && (changes.length > 0 ? <FieldChanges changes={changes} /> : <p class="muted">{t('sameTemplate')}</p>)}
    </Dialog>
  );
}

async function revisionsOf(kind: Kind, object: KubeObject): Promise<readonly Revision[]> {
  const namespace = encodeURIComponent(object.metadata.namespace ?? '');
  const { matchLabels } = fieldsIn(fieldsIn(object.spec)['selector']);
  const labelSelector = Object.entries(fieldsIn(matchLabels))
    .map(([name, value]) => `${name}=${textIn(value)}`)
    .join(',');
  const path = `/apis/apps/v1/namespaces/${namespace}/${revisionKeepers[kindId(kind)]}`;
  const list = await getJson(path, { query: { labelSelector } });
  return earlierRevisions(object, listIn(fieldsIn(list)['items']));
}
