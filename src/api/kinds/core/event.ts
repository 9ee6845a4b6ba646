// Events of both groups are one resource, stored in the core group's form.

import { pathSegmentFaults } from '../../../machinery/text/names.ts';
import type { Event } from '../../generated/types.ts';
import type { KindBehaviour } from '../../kind.ts';
import { validateCoreEvent } from '../../validation/event.ts';
import { nameRule } from '../../validation/metadata.ts';
import { age } from '../cells.ts';

const since = (event: Event, now: number) => age(event.firstTimestamp ?? event.eventTime, now);

const source = (event: Event) => {
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || event.reportingInstance || '';
  return host ? `${component}, ${host}` : component;
};

export const eventCells: NonNullable<KindBehaviour<Event>['cells']> = {
  'Last Seen': (event, now) => {
    const last = event.series ? event.series.lastObservedTime : (event.lastTimestamp ?? undefined);
    return last ? age(last, now) : since(event, now);
  },
  Type: (event) => event.type ?? '',
  Reason: (event) => event.reason ?? '',
  Object: (event) => {
    const { kind = '', name = '' } = event.involvedObject ?? {};
    return name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase();
  },
  Subobject: (event) => event.involvedObject?.fieldPath ?? '',
  Source: source,
  Message: (event) => (event.message ?? '').trim(),
  'First Seen': since,
  Count: (event) => event.series?.count ?? (event.count || 1),
};

const object = (event: Event) => event.involvedObject ?? {};

export const eventSelectors: NonNullable<KindBehaviour<Event>['selectableFields']> = {
  'involvedObject.kind': (event) => object(event).kind ?? '',
  'involvedObject.namespace': (event) => object(event).namespace ?? '',
  'involvedObject.name': (event) => object(event).name ?? '',
  'involvedObject.uid': (event) => object(event).uid ?? '',
  'involvedObject.apiVersion': (event) => object(event).apiVersion ?? '',
  'involvedObject.resourceVersion': (event) => object(event).resourceVersion ?? '',
  'involvedObject.fieldPath': (event) => object(event).fieldPath ?? '',
  reason: (event) => event.reason ?? '',
  reportingComponent: (event) => event.reportingComponent ?? '',
  source: (event) => event.source?.component || event.reportingComponent || '',
  type: (event) => event.type ?? '',
};

/** Events go after an hour, as with --event-ttl's default. */
export const eventSeconds = 3_600;

export const event: KindBehaviour<Event> = {
  keptSeconds: eventSeconds,
  literalFields: ['involvedObject.uid', 'involvedObject.name'],
  cells: eventCells,
  selectableFields: eventSelectors,
  strategy: {
    defaultPropagation: 'unsupported',
    allowCreateOnUpdate: true,
    // Names and finalizers of these events are as free as of any object.
    nameRule: nameRule(pathSegmentFaults),
    plainFinalizers: true,
    metadataOnUpdate: [],
    validate: (event) => validateCoreEvent(event),
    validateUpdate: (next) => validateCoreEvent(next),
  },
};
