// The newer form of an event, kept as the older one.

import { qualifiedNameFaults } from '../../../machinery/names.ts';
import type { FieldError } from '../../errors.ts';
import { invalidValue, invalidValues, oneOf, required } from '../../fields.ts';
import type { Event } from '../../generated/types.ts';
import type { ApiObject, KindBehaviour } from '../../kind.ts';
import { eventCells, eventSelectors } from '../core/event.ts';

const pairs: readonly (readonly [events: string, core: string])[] = [
  ['eventTime', 'eventTime'],
  ['series', 'series'],
  ['reportingController', 'reportingComponent'],
  ['reportingInstance', 'reportingInstance'],
  ['action', 'action'],
  ['reason', 'reason'],
  ['regarding', 'involvedObject'],
  ['related', 'related'],
  ['note', 'message'],
  ['type', 'type'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

/** events.k8s.io/v1 -> v1. */
export function toCoreEvent(object: ApiObject): ApiObject {
  const out: ApiObject = { kind: 'Event', apiVersion: 'v1', metadata: object.metadata };
  const core = new Map(pairs.map(([events, name]) => [name, object[events]]));
  for (const name of coreOrder) {
    const value = core.get(name);
    if (value !== undefined) out[name] = value;
    else if (name in coreDefaults) out[name] = coreDefaults[name];
  }
  return out;
}

/** The fields that Go writes even when there is nothing in them, in their order. */
const coreDefaults: Readonly<Record<string, unknown>> = {
  involvedObject: {},
  source: {},
  firstTimestamp: null,
  lastTimestamp: null,
  eventTime: null,
  reportingComponent: '',
  reportingInstance: '',
};
const coreOrder = [
  'involvedObject',
  'reason',
  'message',
  'source',
  'firstTimestamp',
  'lastTimestamp',
  'count',
  'type',
  'eventTime',
  'series',
  'action',
  'related',
  'reportingComponent',
  'reportingInstance',
];
const eventsDefaults: Readonly<Record<string, unknown>> = {
  eventTime: null,
  regarding: {},
  deprecatedSource: {},
  deprecatedFirstTimestamp: null,
  deprecatedLastTimestamp: null,
};

/** v1 -> events.k8s.io/v1. */
export function fromCoreEvent(object: ApiObject): ApiObject {
  const out: ApiObject = { kind: 'Event', apiVersion: 'events.k8s.io/v1', metadata: object.metadata };
  for (const [events, core] of pairs) {
    const value = object[core];
    if (value !== undefined && !(value === '' && !(events in eventsDefaults))) out[events] = value;
    else if (events in eventsDefaults) out[events] = eventsDefaults[events];
  }
  return out;
}

const asCore = toCoreEvent as (event: any) => Event;

export const eventsEvent: KindBehaviour = {
  storagePrefix: 'events',
  storageVersion: 'v1',
  toStorage: toCoreEvent,
  fromStorage: fromCoreEvent,
  cells: Object.fromEntries(
    Object.entries(eventCells).map(([name, cell]) => [name, (event: any, now: number) => cell(asCore(event), now)]),
  ),
  selectableFields: Object.fromEntries([
    ...Object.entries(eventSelectors).map(([name, value]) => [
      name.replace('involvedObject', 'regarding').replace('reportingComponent', 'reportingController'),
      (event: any) => value(asCore(event)),
    ]),
  ]),
  strategy: { allowCreateOnUpdate: true, validate },
};

const limits: readonly (readonly [field: string, max: number, path: string])[] = [
  ['reportingInstance', 128, 'reportingInstance'],
  ['action', 128, 'action'],
  ['reason', 128, 'reason'],
  ['note', 1024, 'message'],
];

function validate(event: any): FieldError[] {
  const errors: FieldError[] = [];
  const of: string = event.regarding?.namespace ?? '';
  const own: string = event.metadata.namespace ?? '';
  if (of === '' ? own !== 'default' && own !== 'kube-system' : of !== own)
    errors.push(invalidValue('involvedObject.namespace', of, 'does not match event.namespace'));
  if (!event.eventTime) errors.push(required('eventTime'));
  if (event.series) {
    if (!((event.series.count ?? 0) >= 2)) errors.push(invalidValue('series.count', '', 'should be at least 2'));
    if (!event.series.lastObservedTime) errors.push(required('series.lastObservedTime'));
  }
  if (!event.reportingController) errors.push(required('reportingController'));
  const controller: string = event.reportingController ?? '';
  errors.push(...invalidValues('reportingController', controller, qualifiedNameFaults(controller)));
  if (!event.reportingInstance) errors.push(required('reportingInstance'));
  if (!event.action) errors.push(required('action'));
  if (!event.reason) errors.push(required('reason'));
  for (const [field, max, path] of limits)
    if ((event[field] ?? '').length > max) errors.push(invalidValue(path, '', `can have at most ${max} characters`));
  if (!event.type) errors.push(invalidValue('type', '', 'has invalid value: '));
  else
    errors.push(
      ...oneOf('type', event.type, ['Normal', 'Warning']).map(() =>
        invalidValue('type', '', `has invalid value: ${event.type}`),
      ),
    );
  return errors;
}
