// Drains a node: cordons it, then evicts its pods, as `kubectl drain` does. Refused evictions are tried again.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { getJson, request } from '../api/api.ts';
import { Failure } from '../api/failure.ts';
import { patch } from '../api/write.ts';
import { type DrainPlan, drainPlan, type PodName } from '../model/drain.ts';
import { after } from '../system.ts';
import { t } from '../text.ts';
import { closeDialog, Dialog, openDialog } from '../ui/dialogs.tsx';
import { report, reportError } from '../ui/toasts.tsx';

export const askToDrain = (node: string): void => openDialog(() => <DrainDialog node={node} />);

/** A disruption budget refuses evictions for now. */
const retryMs = 5_000;
const watchMs = 1_000;
const most = 8;

function DrainDialog({ node }: { node: string }) {
  const pods = useSignal<readonly unknown[] | undefined>(undefined);
  const isForced = useSignal(false);
  const losesLocalData = useSignal(false);
  const progress = useSignal<string | undefined>(undefined);
  const isOpen = useRef(true);
  // Closing the dialog ends the drain; the node stays cordoned.
  useEffect(() => () => void (isOpen.current = false), []);
  useEffect(() => {
    podsOn(node).then((found) => (pods.value = found), reportError);
  }, [node, pods]);
  const plan = drainPlan(pods.value ?? [], { isForced: isForced.value, losesLocalData: losesLocalData.value });
  const isReady = pods.value !== undefined && plan.refused.length === 0 && progress.value === undefined;
  const run = async () => {
    isOpen.current = true;
    progress.value = t('drainProgress', { done: 0, total: plan.evicted.length });
    try {
      await drain(node, plan, isOpen, (done) => {
        progress.value = t('drainProgress', { done, total: plan.evicted.length });
      });
      if (!isOpen.current) return;
      report(t('drained', { node }));
      closeDialog();
    } catch (error) {
      reportError(error);
      progress.value = undefined;
    }
  };
  return (
    <Dialog
      title={t('drainTitle', { node })}
      action={t('drain')}
      isDangerous
      isBusy={!isReady}
      onAction={() => void run()}
    >
      <p>{t('drainPlan', { evicted: plan.evicted.length, staying: plan.staying })}</p>
      <Refused plan={plan} />
      <Choice text={t('drainForce')} value={isForced} />
      <Choice text={t('drainLocal')} value={losesLocalData} />
      {progress.value && <p role="status">{progress.value}</p>}
    </Dialog>
  );
}

const Choice = ({ text, value }: { text: string; value: { value: boolean } }) => (
  <label class="check-label">
    <input
      type="checkbox"
      checked={value.value}
      onChange={({ currentTarget }) => {
        value.value = currentTarget.checked;
      }}
    />
    {text}
  </label>
);

function Refused({ plan: { refused } }: { plan: DrainPlan }) {
  if (refused.length === 0) return null;
  return (
    <ul class="names">
      {refused.slice(0, most).map(({ namespace, name, reason }) => (
        <li key={`${namespace}/${name}`}>
          {namespace}/{name} <span class="muted">{t(`drainRefused.${reason}`)}</span>
        </li>
      ))}
      {refused.length > most && <li>{t('andMore', { count: refused.length - most })}</li>}
    </ul>
  );
}

async function drain(
  node: string,
  { evicted }: DrainPlan,
  isOpen: { readonly current: boolean },
  onProgress: (done: number) => void,
): Promise<void> {
  await patch(`/api/v1/nodes/${encodeURIComponent(node)}`, { spec: { unschedulable: true } });
  for (const pod of evicted) while (isOpen.current && !(await evict(pod))) await pause(retryMs);
  // An evicted pod still has its grace period.
  const leaving = new Set(evicted.map(({ uid }) => uid));
  while (isOpen.current) {
    const there = (await podsOn(node)).filter((pod) => leaving.has(uidOf(pod))).length;
    onProgress(evicted.length - there);
    if (there === 0) return;
    await pause(watchMs);
  }
}

const pause = (ms: number) => new Promise<void>((resolve) => void after(ms, resolve));

const uidOf = (pod: unknown): string => textIn(fieldsIn(fieldsIn(pod)['metadata'])['uid']);

const podsOn = async (node: string): Promise<readonly unknown[]> =>
  listIn(fieldsIn(await getJson('/api/v1/pods', { query: { fieldSelector: `spec.nodeName=${node}` } }))['items']);

/** False: a disruption budget refuses it for now. */
async function evict({ namespace, name }: PodName): Promise<boolean> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/eviction`;
  const body = JSON.stringify({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } });
  try {
    await request(path, { method: 'POST', body });
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === 404) return true;
    if (error instanceof Failure && error.code === 429) return false;
    throw error;
  }
}
