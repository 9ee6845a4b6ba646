// Lines of a log: only those in view are drawn. Wrapped lines have any height, so the last ones alone are drawn then.

import { type Signal, useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { LogLine } from '../model/log-lines.ts';
import { windowOf } from '../model/rows.ts';
import { t } from '../text.ts';

interface Props {
  readonly lines: readonly LogLine[];
  /** By source; undefined: there is one. */
  readonly names: readonly string[] | undefined;
  readonly isFollowing: Signal<boolean>;
  readonly isWrapped: boolean;
  readonly withTimes: boolean;
  /** The text that is searched. */
  readonly mark: string;
}

const lineHeight = 19;
const mostWrapped = 1_000;
const hues = 8;

export function LogView({ lines, names, isFollowing, isWrapped, withTimes, mark }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const view = useSignal({ top: 0, height: 600 });
  const measure = () => {
    const element = box.current;
    if (element) view.value = { top: element.scrollTop, height: element.clientHeight };
  };
  // After each change: the end of the log stays in view while it is followed.
  useLayoutEffect(() => {
    const element = box.current;
    if (element && isFollowing.value) element.scrollTop = element.scrollHeight;
    measure();
  }, [lines, isFollowing.value, isWrapped]);
  const { first, end } = isWrapped
    ? { first: Math.max(0, lines.length - mostWrapped), end: lines.length }
    : windowOf(lines.length, lineHeight, view.value.top, view.value.height, 20);
  return (
    <div
      ref={box}
      class={isWrapped ? 'log-view wrapped' : 'log-view'}
      role="log"
      aria-label={t('logs')}
      tabIndex={0}
      onScroll={measure}
      onWheel={({ deltaY }) => {
        if (deltaY < 0) isFollowing.value = false;
      }}
    >
      <div style={isWrapped ? {} : { height: `${lines.length * lineHeight}px` }} class="log-lines">
        <div style={isWrapped ? {} : { transform: `translateY(${first * lineHeight}px)` }}>
          {lines.slice(first, end).map((line, index) => (
            <div key={first + index} class="log-line">
              {withTimes && <span class="log-time">{line.time.slice(0, 23)}</span>}
              {names && (
                <span class={`log-source hue-${line.source % hues}`} title={names[line.source]}>
                  {shortName(names[line.source] ?? '')}
                </span>
              )}
              <Marked text={line.text} mark={mark} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

/** The end of a pod's name differs from the others'. */
const shortName = (name: string): string => {
  const [pod = '', container = ''] = name.split(' ');
  return `${pod.split('-').slice(-2).join('-')} ${container}`;
};

function Marked({ text, mark }: { text: string; mark: string }) {
  const at = mark ? text.toLowerCase().indexOf(mark.toLowerCase()) : -1;
  if (at < 0) return <span class="log-text">{text || ' '}</span>;
  return (
    <span class="log-text">
      {text.slice(0, at)}
      <mark>{text.slice(at, at + mark.length)}</mark>
      {text.slice(at + mark.length)}
    </span>
  );
}
