// The newer form of an event, stored in the older form.

import { fieldsOf } from '../../../machinery/parsed.ts';
import type { Event, EventsV1Event } from '../../generated/types.ts';
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
  const core = new Map(pairs.map(([events, name]) => [name, fieldsOf(object)[events]]));
  const fields = fieldsOf(out);
  for (const name of coreOrder) {
    const value = core.get(name);
    if (value !== undefined) fields[name] = value;
    else if (name in coreDefaults) fields[name] = coreDefaults[name];
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
  const fields = fieldsOf(out);
  for (const [events, core] of pairs) {
    const value = fieldsOf(object)[core];
    if (value !== undefined && !(value === '' && !(events in eventsDefaults))) fields[events] = value;
    else if (events in eventsDefaults) fields[events] = eventsDefaults[events];
  }
  return out;
}

const asCore = (event: EventsV1Event) => toCoreEvent(event) as Event;

export const eventsEvent: KindBehaviour<EventsV1Event> = {
  keptSeconds: eventSeconds,
  literalFields: ['regarding.uid', 'regarding.name'],
  storagePrefix: 'events',
  storageVersion: 'v1',
  storedAs: '/v1/Event',
  toStorage: toCoreEvent,
  fromStorage: (event) => fromCoreEvent(event) as EventsV1Event,
  cells: Object.fromEntries(
    Object.entries(eventCells).map(([name, cell]) => [
      name,
      (event: EventsV1Event, now: number) => cell(asCore(event), now),
    ]),
  ),
  selectableFields: Object.fromEntries([
    ...Object.entries(eventSelectors).map(([name, value]) => [
      name.replace('involvedObject', 'regarding').replace('reportingComponent', 'reportingController'),
      (event: EventsV1Event) => value(asCore(event)),
    ]),
  ]),
  strategy: {
    defaultPropagation: 'unsupported',
    allowCreateOnUpdate: true,
    validate: (event) => validateNewEvent(asCore(event)),
    validateUpdate: (next, old) => validateEventUpdate(asCore(next), asCore(old)),
  },
};
