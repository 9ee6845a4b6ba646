// Adds a debug container to a running pod, as `kubectl debug` does. It stays until the pod ends.

import { useSignal } from '@preact/signals';
import type { KubeObject } from '../api/api.ts';
import { patch } from '../api/write.ts';
import { containersOf, debugName } from '../model/containers.ts';
import { t } from '../text.ts';
import { closeDialog, Dialog, openDialog } from '../ui/dialogs.tsx';
import { reportError } from '../ui/toasts.tsx';

/** `done` gets the name of the container. */
export const askToDebug = (object: KubeObject, done: (container: string) => void): void =>
  openDialog(() => <DebugDialog object={object} done={done} />);

const defaultImage = 'busybox';

function DebugDialog({ object, done }: { object: KubeObject; done: (container: string) => void }) {
  const { name, namespace = '' } = object.metadata;
  const containers = containersOf(object);
  const image = useSignal(defaultImage);
  const target = useSignal(containers[0]?.name ?? '');
  const isBusy = useSignal(false);
  const run = async () => {
    isBusy.value = true;
    const container = debugName(containers.map((one) => one.name));
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/ephemeralcontainers`;
    const added = {
      ...{ name: container, image: image.value.trim(), stdin: true, tty: true },
      ...(target.value && { targetContainerName: target.value }),
    };
    try {
      await patch(path, { spec: { ephemeralContainers: [added] } }, 'application/strategic-merge-patch+json');
      closeDialog();
      done(container);
    } catch (error) {
      reportError(error);
      isBusy.value = false;
    }
  };
  return (
    <Dialog
      title={t('debugTitle', { name })}
      action={t('debug')}
      isBusy={isBusy.value || image.value.trim() === ''}
      onAction={() => void run()}
    >
      <p class="muted">{t('debugLead')}</p>
      <label class="field">
        {t('image')}
        <input
          value={image.value}
          spellcheck={false}
          onInput={({ currentTarget }) => (image.value = currentTarget.value)}
        />
      </label>
      <label class="field">
        {t('debugTarget')}
        <select value={target.value} onChange={({ currentTarget }) => (target.value = currentTarget.value)}>
          <option value="">{t('none')}</option>
          {containers
            .filter(({ kind }) => kind === 'container')
            .map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
        </select>
      </label>
    </Dialog>
  );
}
