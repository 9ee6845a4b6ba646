// Why an object changed, by the object itself: the states that a controller compared.

import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';

/** A text of the page with its values; all of them come from the object. */
export interface Reason {
  readonly key:
    | 'why.bound'
    | 'why.restart'
    | 'why.waits'
    | 'why.deletion'
    | 'why.finalizers'
    | 'why.replicas'
    | 'why.observed'
    | 'why.condition'
    | 'why.failed';
  readonly values: Readonly<Record<string, string | number>>;
  readonly isBad?: boolean;
}

type Rule = (before: Fields, after: Fields) => readonly Reason[];
type Fields = Readonly<Record<string, unknown>>;

const rules: readonly Rule[] = [bound, failed, restarts, replicas, observed, conditions, deletion, finalizers];

export const reasonsOf = (before: unknown, after: unknown): readonly Reason[] =>
  rules.flatMap((rule) => rule(fieldsIn(before), fieldsIn(after)));

const specOf = (object: Fields): Fields => fieldsIn(object['spec']);
const statusIn = (object: Fields): Fields => fieldsIn(object['status']);
const metadataOf = (object: Fields): Fields => fieldsIn(object['metadata']);
const isCount = (value: unknown): value is number => typeof value === 'number';

function bound(before: Fields, after: Fields): Reason[] {
  const node = textIn(specOf(after)['nodeName']);
  const isNew = node !== '' && textIn(specOf(before)['nodeName']) === '' && 'containers' in specOf(after);
  return isNew ? [{ key: 'why.bound', values: { node } }] : [];
}

/** Such as an eviction by the kubelet: the message has the shortage and the usage that it compared. */
function failed(before: Fields, after: Fields): Reason[] {
  const { phase, reason, message } = statusIn(after);
  if (phase !== 'Failed' || statusIn(before)['phase'] === 'Failed' || !reason) return [];
  return [{ key: 'why.failed', values: { reason: textIn(reason), message: textIn(message) }, isBad: true }];
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts */
function restarts(before: Fields, after: Fields): Reason[] {
  const policy = textIn(specOf(after)['restartPolicy']);
  const old = statusesOf(before);
  return [...statusesOf(after)].flatMap(([name, status]): Reason[] => {
    const { restartCount, lastState, state } = status;
    const previous = old.get(name) ?? {};
    const { reason, exitCode, message } = fieldsIn(fieldsIn(lastState)['terminated']);
    const waiting = fieldsIn(fieldsIn(state)['waiting']);
    const wasWaiting = fieldsIn(fieldsIn(previous['state'])['waiting']);
    const isRestart = isCount(restartCount) && restartCount > Number(previous['restartCount'] ?? 0);
    return [
      ...(isRestart
        ? [
            {
              key: 'why.restart' as const,
              values: {
                ...{ name, policy, code: String(exitCode ?? '?'), reason: textIn(reason) || '?', number: restartCount },
                message: textIn(message),
              },
              isBad: exitCode !== 0,
            },
          ]
        : []),
      ...(waiting['reason'] && waiting['reason'] !== wasWaiting['reason'] && waiting['message']
        ? [{ key: 'why.waits' as const, values: { name, message: textIn(waiting['message']) }, isBad: true }]
        : []),
    ];
  });
}

const statusesOf = (pod: Fields): ReadonlyMap<string, Fields> => {
  const { initContainerStatuses, containerStatuses } = statusIn(pod);
  const all = [...listIn(initContainerStatuses), ...listIn(containerStatuses)].map(fieldsIn);
  return new Map(all.map((status) => [textIn(status['name']), status]));
};

function replicas(before: Fields, after: Fields): Reason[] {
  const [old, wanted] = [specOf(before)['replicas'], specOf(after)['replicas']];
  if (!isCount(old) || !isCount(wanted) || old === wanted) return [];
  return [
    { key: 'why.replicas', values: { before: old, after: wanted, has: Number(statusIn(after)['replicas'] ?? 0) } },
  ];
}

function observed(before: Fields, after: Fields): Reason[] {
  const wanted = specOf(after)['replicas'];
  const [old, has] = [statusIn(before)['replicas'] ?? 0, statusIn(after)['replicas'] ?? 0];
  if (!isCount(wanted) || !isCount(old) || !isCount(has) || old === has) return [];
  return [{ key: 'why.observed', values: { before: old, after: has, wanted } }];
}

function conditions(before: Fields, after: Fields): Reason[] {
  const old = new Map(conditionsOf(before).map((one) => [textIn(one['type']), textIn(one['status'])]));
  return conditionsOf(after).flatMap(({ type, status, reason, message }): Reason[] => {
    if (!type || (old.get(textIn(type)) ?? '') === status || (!reason && !message)) return [];
    const values = { type: textIn(type), status: textIn(status), reason: textIn(reason), message: textIn(message) };
    return [{ key: 'why.condition', values, isBad: type === 'DisruptionTarget' && status === 'True' }];
  });
}

const conditionsOf = (object: Fields): readonly Fields[] => listIn(statusIn(object)['conditions']).map(fieldsIn);

function deletion(before: Fields, after: Fields): Reason[] {
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadataOf(after);
  if (!deletionTimestamp || metadataOf(before)['deletionTimestamp']) return [];
  return [{ key: 'why.deletion', values: { seconds: Number(deletionGracePeriodSeconds ?? 0) } }];
}

/** A deleted object stays until they are removed. */
function finalizers(before: Fields, after: Fields): Reason[] {
  const { deletionTimestamp, finalizers: names } = metadataOf(after);
  if (!deletionTimestamp || listIn(names).length === 0) return [];
  const text = (list: unknown) => listIn(list).map(textIn).join(', ');
  const isSame = metadataOf(before)['deletionTimestamp'] && text(metadataOf(before)['finalizers']) === text(names);
  return isSame ? [] : [{ key: 'why.finalizers', values: { names: text(names) } }];
}
