// Logs of a pod, or of all pods of a workload: followed, searched, downloaded.

import { computed, type Signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { KubeObject } from '../api/api.ts';
import { type LogSource, LogStream } from '../api/log-stream.ts';
import type { Kind } from '../model/kinds.ts';
import type { LogLine } from '../model/log-lines.ts';
import { moment } from '../past/moment.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { LogView } from '../ui/log-view.tsx';
import { useLogSources } from './log-sources.ts';

export function LogsTab({ kind, object }: { kind: Kind; object: KubeObject }) {
  const sources = useLogSources(kind, object);
  const container = useSignal('');
  const isPrevious = useSignal(false);
  const isFollowing = useSignal(true);
  const text = useSignal('');
  const isWrapped = useSignal(false);
  const withTimes = useSignal(false);
  const shown = sources.filter((source) => !container.value || source.container === container.value);
  const key = shown.map(({ pod, container: name }) => `${pod}/${name}`).join(' ');
  const latest = useRef(shown);
  latest.current = shown;
  // A new set of sources starts again; the key stands for them.
  const stream = useMemo(
    () => new LogStream(object.metadata.namespace ?? '', key ? latest.current : [], isPrevious.value),
    [object.metadata.namespace, key, isPrevious.value],
  );
  useEffect(() => {
    stream.start();
    return () => stream.stop();
  }, [stream]);
  const names = [...new Set(sources.map((source) => source.container))];
  const lines = useMemo(
    () =>
      computed(() => {
        void stream.version.value;
        const wanted = text.value.toLowerCase();
        const untilMs = moment.value?.timeMs;
        const { lines } = stream.buffer;
        const all = untilMs === undefined ? lines : lines.filter(({ time }) => !(Date.parse(time) > untilMs));
        return wanted ? all.filter((line) => line.text.toLowerCase().includes(wanted)) : all.slice();
      }),
    [stream, text],
  );
  return (
    <div class="logs">
      <div class="toolbar">
        <select
          aria-label={t('containers')}
          value={container.value}
          onChange={({ currentTarget }) => (container.value = currentTarget.value)}
        >
          <option value="">{t('allContainers')}</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <input
          type="search"
          data-filter
          aria-label={t('logSearch')}
          placeholder={t('logSearch')}
          value={text.value}
          onInput={({ currentTarget }) => (text.value = currentTarget.value)}
        />
        <Toggle text={t('logFollow')} value={isFollowing} />
        <Toggle text={t('logWrap')} value={isWrapped} />
        <Toggle text={t('logTimes')} value={withTimes} />
        <Toggle text={t('logPrevious')} value={isPrevious} />
        <span class="grow" />
        <button type="button" class="quiet" onClick={() => save(object.metadata.name, stream)}>
          <Icon name="download" />
          {t('download')}
        </button>
      </div>
      <LogNotice stream={stream} sources={sources} />
      <LogView
        lines={lines.value}
        names={shown.length > 1 ? shown.map(nameOf) : undefined}
        isFollowing={isFollowing}
        isWrapped={isWrapped.value}
        withTimes={withTimes.value}
        mark={text.value}
      />
    </div>
  );
}

const nameOf = ({ pod, container }: LogSource): string => `${pod} ${container}`;

const Toggle = ({ text, value }: { text: string; value: Signal<boolean> }) => (
  <button type="button" class="quiet" aria-pressed={value.value} onClick={() => (value.value = !value.value)}>
    {text}
  </button>
);

function LogNotice({ stream, sources }: { stream: LogStream; sources: readonly LogSource[] }) {
  void stream.version.value;
  if (sources.length === 0) return <p class="muted">{t('logNoPods')}</p>;
  return (
    <>
      {[...stream.faults].map(([name, message]) => (
        <p key={name} class="notice busy flat">
          {name}: {message}
        </p>
      ))}
      {stream.buffer.lines.length === 0 && stream.faults.size === 0 && <p class="muted">{t('logEmpty')}</p>}
      {stream.buffer.dropped > 0 && <p class="muted">{t('logDropped', { count: stream.buffer.dropped })}</p>}
    </>
  );
}

function save(name: string, stream: LogStream): void {
  const line = ({ source, time, text }: LogLine) => `${time} ${stream.sources[source]?.pod ?? ''} ${text}\n`;
  const url = URL.createObjectURL(new Blob(stream.buffer.lines.map(line), { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name}.log`;
  link.click();
  URL.revokeObjectURL(url);
}
