// The actions of an object's page: those that its kind has.

import { fieldsIn } from '../../../machinery/parsed.ts';
import type { KubeObject } from '../api/api.ts';
import { patch } from '../api/write.ts';
import { apiPath, type Kind, kindId } from '../model/kinds.ts';
import { go, links } from '../router.ts';
import { now } from '../system.ts';
import { type TextKey, t } from '../text.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import { report, reportError } from '../ui/toasts.tsx';
import { askToDelete } from './delete.tsx';
import { askToDrain } from './drain.tsx';
import { askToOpenPort, hasPorts } from './open-port.tsx';
import { askToRollBack, canRollBack } from './roll-back.tsx';
import { askToScale } from './scale.tsx';

interface Action {
  readonly text: TextKey;
  readonly icon: IconName;
  readonly isDangerous?: boolean;
  run(): void;
}

export const ObjectActions = ({ kind, object }: { kind: Kind; object: KubeObject }) => (
  <div class="actions" role="toolbar" aria-label={object.metadata.name}>
    {actionsOf(kind, object).map(({ text, icon, isDangerous, run }) => (
      <button key={text} type="button" class={isDangerous ? 'danger' : ''} onClick={run}>
        <Icon name={icon} />
        {t(text)}
      </button>
    ))}
  </div>
);

const restartable = ['deployments.apps', 'statefulsets.apps', 'daemonsets.apps'];

function actionsOf(kind: Kind, object: KubeObject): Action[] {
  const { name, namespace = '', uid = '' } = object.metadata;
  const id = kindId(kind);
  const isCordoned = fieldsIn(object.spec)['unschedulable'] === true;
  const actions: (Action | false)[] = [
    kind.verbs.includes('update') && {
      ...{ text: 'edit', icon: 'edit' },
      run: () => go(`${links.object(id, namespace, name, 'yaml')}?edit=1`),
    },
    hasPorts(kind) && { text: 'openPort', icon: 'open', run: () => askToOpenPort(kind, object) },
    kind.subresources.includes('scale') && { text: 'scale', icon: 'scale', run: () => askToScale(kind, object) },
    restartable.includes(id) && { text: 'restart', icon: 'restart', run: () => void restart(kind, object) },
    canRollBack(kind) && { text: 'rollBack', icon: 'undo', run: () => askToRollBack(kind, object) },
    id === 'nodes' && {
      ...{ text: isCordoned ? 'uncordon' : 'cordon', icon: 'cordon' },
      run: () => void cordon(name, !isCordoned),
    },
    id === 'nodes' && { text: 'drain', icon: 'drain', run: () => askToDrain(name) },
    kind.verbs.includes('delete') && {
      ...{ text: 'delete', icon: 'trash', isDangerous: true },
      run: () => askToDelete(kind, [{ key: uid, namespace, name }], () => go(links.list(id))),
    },
  ];
  return actions.filter((action): action is Action => action !== false);
}

/** As `kubectl rollout restart` does: a changed annotation makes new pods. */
async function restart(kind: Kind, { metadata: { name, namespace } }: KubeObject): Promise<void> {
  const restartedAt = new Date(now()).toISOString();
  const template = { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': restartedAt } } };
  await reported(
    patch(apiPath(kind, namespace, name), { spec: { template } }, 'application/strategic-merge-patch+json'),
    t('restarted', { name }),
  );
}

const cordon = (name: string, unschedulable: boolean): Promise<void> =>
  reported(
    patch(`/api/v1/nodes/${encodeURIComponent(name)}`, { spec: { unschedulable } }),
    t(unschedulable ? 'cordonedNode' : 'uncordonedNode', { name }),
  );

const reported = (work: Promise<void>, text: string): Promise<void> => work.then(() => report(text), reportError);
