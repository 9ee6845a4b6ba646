// Errors and warnings at the end of a pod's logs.

import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type KubeObject, request } from '../api/api.ts';
import { logLine } from '../model/log-lines.ts';
import { type LogMark, logMarks } from '../model/log-marks.ts';
import { sourcesOf } from '../pages/log-sources.ts';
import { whileVisible } from '../ui/poll.ts';

const tailLines = '400';
const limitBytes = String(256 << 10);
const readMs = 15_000;

interface PodLogMark extends LogMark {
  readonly container: string;
}

/** Undefined: not a pod. */
export function useLogMarks(pod: KubeObject | undefined): ReadonlySignal<readonly PodLogMark[]> {
  const marks = useSignal<readonly PodLogMark[]>([]);
  const { namespace = '', name = '' } = pod?.metadata ?? {};
  const containers = pod ? sourcesOf(pod).map(({ container }) => container) : [];
  const key = containers.join(' ');
  useEffect(() => {
    const ended = new AbortController();
    const read = async () => {
      if (!key) return;
      const found = await Promise.all(
        key.split(' ').map((container) => marksOf(namespace, name, container, ended.signal).catch(() => [])),
      );
      if (!ended.signal.aborted) marks.value = found.flat();
    };
    const stop = whileVisible(readMs, read);
    return () => {
      stop();
      ended.abort();
    };
  }, [namespace, name, key, marks]);
  return marks;
}

async function marksOf(
  namespace: string,
  name: string,
  container: string,
  signal: AbortSignal,
): Promise<readonly PodLogMark[]> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/log`;
  const query = { container, tailLines, limitBytes, timestamps: 'true' };
  const text = await (await request(path, { query, accept: '*/*', signal })).text();
  return logMarks(text.split('\n').map((line) => logLine(0, line))).map((mark) => ({ ...mark, container }));
}
