// The events about an object, newest first.

import { useMemo } from 'preact/hooks';
import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { humanDuration } from '../../../machinery/time/duration.ts';
import type { KubeObject } from '../api/api.ts';
import { t } from '../text.ts';
import { useFeed } from '../ui/feed-hooks.ts';
import { useNow } from '../ui/now.ts';

interface ShownEvent {
  readonly key: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly source: string;
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly lastMs: number;
  readonly firstMs: number;
}

/** In the events of nodes, the uid is the name. */
export function useEvents({ metadata, kind = '' }: KubeObject): readonly ShownEvent[] {
  const { name, namespace = '' } = metadata;
  const feed = useFeed({
    path: namespace ? `/api/v1/namespaces/${encodeURIComponent(namespace)}/events` : '/api/v1/events',
    fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}`,
    as: 'objects',
  });
  const version = feed?.version.value ?? 0;
  // The version and the key stand for the content.
  return useMemo(
    () => [...(feed?.objects ?? [])].map(([key, event]) => shownEvent(key, event)).sort((a, b) => b.lastMs - a.lastMs),
    [feed, version],
  );
}

function shownEvent(key: string, event: unknown): ShownEvent {
  const fields = fieldsIn(event);
  const { lastTimestamp, firstTimestamp, eventTime, metadata, series, source } = fields;
  const time = (...candidates: unknown[]) =>
    candidates.map((text) => Date.parse(textIn(text))).find((ms) => !Number.isNaN(ms)) ?? 0;
  const created = fieldsIn(metadata)['creationTimestamp'];
  return {
    key,
    type: textIn(fields['type']),
    reason: textIn(fields['reason']),
    message: textIn(fields['message']),
    source: textIn(fieldsIn(source)['component']) || textIn(fields['reportingComponent']),
    count: Number(fieldsIn(series)['count'] ?? fields['count'] ?? 1),
    lastMs: time(fieldsIn(series)['lastObservedTime'], lastTimestamp, eventTime, created),
    firstMs: time(firstTimestamp, eventTime, created),
  };
}

export function EventsTab({ object }: { object: KubeObject }) {
  const events = useEvents(object);
  const nowMs = useNow(5_000);
  if (events.length === 0) return <p class="muted">{t('noEvents')}</p>;
  return (
    <ul class="events">
      {events.map(({ key, type, reason, message, source, count, lastMs }) => (
        <li key={key} class={type === 'Warning' ? 'event bad' : 'event'}>
          <span class="event-age muted">{humanDuration(nowMs - lastMs)}</span>
          <span class="event-dot" aria-hidden="true" />
          <div>
            <p>
              <strong>{reason}</strong>
              {count > 1 && <span class="muted"> ×{count}</span>}
              <span class="muted"> {source}</span>
            </p>
            <p class="event-message">{message}</p>
          </div>
        </li>
      ))}
    </ul>
  );
}
