// Deletes objects, after a look at the objects that go with them.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { request } from '../api/api.ts';
import { ownedBy } from '../api/owned.ts';
import { apiPath, type Kind } from '../model/kinds.ts';
import { titleOf } from '../model/titles.ts';
import { t } from '../text.ts';
import { closeDialog, Dialog, openDialog } from '../ui/dialogs.tsx';
import { report, reportError } from '../ui/toasts.tsx';

interface Deletable {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
}

export const askToDelete = (kind: Kind, objects: readonly Deletable[], done: () => void): void =>
  openDialog(() => <DeleteDialog kind={kind} objects={objects} done={done} />);

const policies = ['Background', 'Foreground', 'Orphan'] as const;
/** Names that the dialog lists. */
const most = 8;

function DeleteDialog({ kind, objects, done }: { kind: Kind; objects: readonly Deletable[]; done: () => void }) {
  const policy = useSignal<(typeof policies)[number]>('Background');
  const isBusy = useSignal(false);
  const title = t('deleteTitle', {
    what: objects.length === 1 ? `${kind.kind} ${objects[0].name}` : `${objects.length} ${titleOf(kind)}`,
  });
  const run = async () => {
    isBusy.value = true;
    const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: policy.value });
    let deleted = 0;
    for (const { namespace, name } of objects)
      try {
        await request(apiPath(kind, namespace, name), { method: 'DELETE', body });
        deleted++;
      } catch (error) {
        reportError(error);
      }
    if (deleted > 0) report(t('deleteDone', { count: deleted }));
    closeDialog();
    done();
  };
  return (
    <Dialog title={title} action={t('delete')} isDangerous isBusy={isBusy.value} onAction={() => void run()}>
      {objects.length > 1 && (
        <ul class="names">
          {objects.slice(0, most).map(({ key, namespace, name }) => (
            <li key={key}>{namespace ? `${namespace}/${name}` : name}</li>
          ))}
          {objects.length > most && <li>{t('andMore', { count: objects.length - most })}</li>}
        </ul>
      )}
      <TakenAlong kind={kind} objects={objects} policy={policy.value} />
      <label class="field">
        {t('deletePolicy')}
        <select
          value={policy.value}
          onChange={({ currentTarget }) => {
            policy.value = policies.find((one) => one === currentTarget.value) ?? 'Background';
          }}
        >
          {policies.map((name) => (
            <option key={name} value={name}>
              {t(`deletePolicy.${name}`)}
            </option>
          ))}
        </select>
      </label>
    </Dialog>
  );
}

/** The garbage collector deletes these too, unless they are orphaned. */
function TakenAlong({ kind, objects, policy }: { kind: Kind; objects: readonly Deletable[]; policy: string }) {
  const owned = useSignal<readonly string[] | undefined>(undefined);
  useEffect(() => {
    if (objects.length !== 1) return;
    const [{ namespace, key }] = objects;
    void ownedBy(kind, namespace, key).then((found) => {
      owned.value = found.map(({ kind: child, name }) => `${child.kind} ${name}`);
    });
  }, [kind, objects, owned]);
  if (kind.resource === 'namespaces') return <p class="notice bad">{t('deleteNamespace')}</p>;
  if (!owned.value?.length || policy === 'Orphan') return null;
  return (
    <div>
      <p>{t('deleteAlong', { count: owned.value.length })}</p>
      <ul class="names">
        {owned.value.slice(0, most).map((text) => (
          <li key={text}>{text}</li>
        ))}
        {owned.value.length > most && <li>{t('andMore', { count: owned.value.length - most })}</li>}
      </ul>
    </div>
  );
}
