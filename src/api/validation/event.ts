// Events, in the core group's form. Those with an eventTime come from clients of events.k8s.io, and have stricter
// rules.
// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/

import { byteLength, dns1123SubdomainFaults, qualifiedNameFaults } from '../../machinery/text/names.ts';
import type { FieldError } from '../errors.ts';
import { immutableField, invalidValue, invalidValues, required, sameValue, unchanged } from '../fields.ts';
import type { Event } from '../generated/types.ts';
import { internal } from '../internal.ts';

/** Rules for events of both groups. `controller`: the name of the reporting controller's field. */
export function validateCoreEvent(event: Event, controller = 'reportingComponent'): FieldError[] {
  const own = event.metadata.namespace ?? '';
  return [
    ...validateNamespace(event, own),
    ...(event.eventTime ? validateReport(event, controller) : []),
    ...invalidValues('namespace', own, dns1123SubdomainFaults(own)),
  ];
}

/** Objects without a namespace have their events in `default`. */
function validateNamespace(event: Event, own: string): FieldError[] {
  const of = event.involvedObject?.namespace ?? '';
  const isDefault = own === 'default' || (event.eventTime ? own === 'kube-system' : own === '');
  const isRight = of === '' ? isDefault : !!event.eventTime || of === own;
  return isRight ? [] : [invalidValue('involvedObject.namespace', of, 'does not match event.namespace')];
}

const limited = (path: string, value: string, most: number): FieldError[] =>
  byteLength(value) > most ? [invalidValue(path, '', `can have at most ${most} characters`)] : [];

function validateReport(event: Event, controller: string): FieldError[] {
  const { reportingComponent = '', reportingInstance = '', action = '', reason = '', message = '' } = event;
  return [
    ...(reportingComponent ? [] : [required(controller)]),
    ...invalidValues(controller, reportingComponent, qualifiedNameFaults(reportingComponent)),
    ...Object.entries({ reportingInstance, action, reason }).flatMap(([field, value]) => [
      ...(value ? [] : [required(field)]),
      ...limited(field, value, 128),
    ]),
    ...limited('message', message, 1024),
  ];
}

/** A new event of events.k8s.io, whose older fields must be empty. */
export function validateNewEvent(event: Event): FieldError[] {
  const { type = '', source } = event;
  const unset = (field: string, value: unknown) => (value ? [invalidValue(field, '', 'needs to be unset')] : []);
  return [
    ...validateCoreEvent(event, 'reportingController'),
    ...validateSeries(event),
    ...(event.eventTime ? [] : [required('eventTime')]),
    ...(type === 'Normal' || type === 'Warning' ? [] : [invalidValue('type', '', `has invalid value: ${type}`)]),
    ...unset('firstTimestamp', event.firstTimestamp),
    ...unset('lastTimestamp', event.lastTimestamp),
    ...unset('count', event.count),
    ...unset('source', source?.component || source?.host),
  ];
}

function validateSeries({ series }: Event): FieldError[] {
  if (!series) return [];
  return [
    ...((series.count ?? 0) < 2 ? [invalidValue('series.count', '', 'should be at least 2')] : []),
    ...(series.lastObservedTime ? [] : [required('series.lastObservedTime')]),
  ];
}

/** Only an event's series may change. */
export function validateEventUpdate(next: Event, old: Event): FieldError[] {
  const text = (field: 'reason' | 'message' | 'type' | 'action' | 'reportingInstance') =>
    unchanged(field, next[field] ?? '', old[field] ?? '');
  const shown = (field: 'involvedObject' | 'source' | 'related', type: string) =>
    unchanged(field, internal(type, next[field]), internal(type, old[field]));
  const time = (field: 'firstTimestamp' | 'lastTimestamp') => unchanged(field, next[field] ?? null, old[field] ?? null);
  const isSameTime = (next.eventTime ?? '') === (old.eventTime ?? '');
  return [
    ...validateCoreEvent(next, 'reportingController'),
    ...(sameValue(next.series ?? null, old.series ?? null) ? [] : validateSeries(next)),
    ...shown('involvedObject', 'core.ObjectReference'),
    ...text('reason'),
    ...text('message'),
    ...shown('source', 'core.EventSource'),
    ...time('firstTimestamp'),
    ...time('lastTimestamp'),
    ...unchanged('count', next.count ?? 0, old.count ?? 0),
    // Kubernetes checks the reason twice.
    ...text('reason'),
    ...text('type'),
    ...(isSameTime ? [] : [immutableField('eventTime', next.eventTime ?? null)]),
    ...text('action'),
    ...shown('related', '*core.ObjectReference'),
    ...unchanged('reportingController', next.reportingComponent ?? '', old.reportingComponent ?? ''),
    ...text('reportingInstance'),
  ];
}
