// The newer form of an event, stored in the older form.

import type { Event } from '../../generated/types.ts';
import type { ApiObject, KindBehaviour } from '../../kind.ts';
import { validateEventUpdate, validateNewEvent } from '../../validation/event.ts';
import { eventCells, eventSeconds, eventSelectors } from '../core/event.ts';

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
function toCoreEvent(object: ApiObject): ApiObject {
  const out: ApiObject = { kind: 'Event', apiVersion: 'v1', metadata: object.metadata };
  const core = new Map(pairs.map(([events, name]) => [name, object[events]]));
  for (const name of coreOrder) {
    const value = core.get(name);
    if (value !== undefined) out[name] = value;
    else if (name in coreDefaults) out[name] = coreDefaults[name];
  }
  return out;
}

/** The fields that Go writes even if empty, in order. */
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
function fromCoreEvent(object: ApiObject): ApiObject {
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
  keptSeconds: eventSeconds,
  literalFields: ['regarding.uid', 'regarding.name'],
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
  strategy: {
    allowCreateOnUpdate: true,
    validate: (event) => validateNewEvent(asCore(event)),
    validateUpdate: (next, old) => validateEventUpdate(asCore(next), asCore(old)),
  },
};
