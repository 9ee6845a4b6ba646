// Sets the number of replicas, through the scale subresource.

import { useSignal } from '@preact/signals';
import { fieldsIn } from '../../../machinery/parsed.ts';
import type { KubeObject } from '../api/api.ts';
import { patch } from '../api/write.ts';
import { apiPath, type Kind } from '../model/kinds.ts';
import { t } from '../text.ts';
import { closeDialog, Dialog, openDialog } from '../ui/dialogs.tsx';
import { report, reportError } from '../ui/toasts.tsx';

export const askToScale = (kind: Kind, object: KubeObject): void =>
  openDialog(() => <ScaleDialog kind={kind} object={object} />);

function ScaleDialog({ kind, object }: { kind: Kind; object: KubeObject }) {
  const { name, namespace } = object.metadata;
  const replicas = useSignal(Number(fieldsIn(object.spec)['replicas'] ?? 1));
  const isBusy = useSignal(false);
  const run = async () => {
    isBusy.value = true;
    try {
      await patch(`${apiPath(kind, namespace, name)}/scale`, { spec: { replicas: replicas.value } });
      report(t('scaled', { name, count: replicas.value }));
      closeDialog();
    } catch (error) {
      reportError(error);
      isBusy.value = false;
    }
  };
  return (
    <Dialog title={t('scaleTitle', { name })} action={t('scale')} isBusy={isBusy.value} onAction={() => void run()}>
      <label class="field">
        {t('replicas')}
        <input
          type="number"
          min={0}
          max={100_000}
          value={replicas.value}
          onInput={({ currentTarget }) => (replicas.value = Math.max(0, Math.floor(currentTarget.valueAsNumber || 0)))}
        />
      </label>
    </Dialog>
  );
}
