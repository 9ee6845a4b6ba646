// A slider over the recent past: every view shows the cluster as it was at its moment.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { humanDuration } from '../../../machinery/time/duration.ts';
import { type History, type Moment, stepBack, stepForward } from '../model/history.ts';
import { links, route } from '../router.ts';
import { isCoracle } from '../session.ts';
import { language } from '../settings.ts';
import { after } from '../system.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { reportError } from '../ui/toasts.tsx';
import { Marks } from './marks.tsx';
import { isPastOpen, moment } from './moment.ts';
import { type FoundHistory, found, goTo, show, usePast } from './past-feed.ts';

export function PastButton() {
  usePast();
  return (
    <button
      type="button"
      class="quiet"
      aria-pressed={isPastOpen.value}
      aria-label={t('past')}
      {...(!isCoracle() && { 'aria-disabled': true, 'aria-description': t('onlyCoracle'), title: t('onlyCoracle') })}
      onClick={() => {
        if (isPastOpen.value) closePast();
        else isPastOpen.value = isCoracle();
      }}
    >
      <Icon name="history" />
      <span class="wide-only">{t('past')}</span>
    </button>
  );
}

function closePast(): void {
  isPastOpen.value = false;
  show(undefined);
}

export function PastBar() {
  // That page has a slider with two ends.
  if (!isPastOpen.value || route.value.page === 'changes') return null;
  return (
    <section class={moment.value ? 'past-bar then' : 'past-bar'} aria-label={t('past')}>
      <PastContent found={found.value} />
    </section>
  );
}

function PastContent({ found }: { found: FoundHistory }) {
  const last = useRef<History | undefined>(undefined);
  if (found.state === 'found') last.current = found.history;
  if (found.state === 'failed')
    return (
      <p class="past-line">
        <span class="muted">{t('pastNone', { message: found.message })}</span>
        <NowButton />
      </p>
    );
  if (!last.current)
    return (
      <p class="past-line">
        <span class="muted">{t('loading')}</span>
        <NowButton />
      </p>
    );
  return <Scrubber history={last.current} />;
}

const NowButton = () =>
  moment.value && (
    <button type="button" class="primary" onClick={() => show(undefined)}>
      {t('pastNow')}
    </button>
  );

/** While the slider moves, views follow after this pause. */
const pauseMs = 140;
/** So close to the end is the present. */
const presentMs = 400;

function Scrubber({ history }: { history: History }) {
  const { since, now } = history;
  /** Where the slider is until its state is read. */
  const dragged = useSignal<number | undefined>(undefined);
  const waiting = useRef<(() => void) | undefined>(undefined);
  useEffect(() => () => waiting.current?.(), []);
  const atMs = dragged.value ?? moment.value?.timeMs ?? now.timeMs;
  const settle = (ms: number) => {
    waiting.current?.();
    const going = ms >= now.timeMs - presentMs ? Promise.resolve(show(undefined)) : goTo(ms);
    going.catch(reportError).then(() => {
      if (dragged.peek() === ms) dragged.value = undefined;
    });
  };
  const drag = (ms: number) => {
    dragged.value = ms;
    waiting.current?.();
    waiting.current = after(pauseMs, () => settle(ms));
  };
  const step = (then: Moment | undefined) => {
    dragged.value = undefined;
    show(then);
  };
  return (
    <>
      <div class="past-track">
        <StepButton icon="back" text={t('pastBack')} onClick={() => step(stepBack(history, atMs))} />
        <div class="past-slider">
          <Marks marks={history.marks} beginMs={since.timeMs} endMs={now.timeMs} />
          <input
            type="range"
            aria-label={t('pastMoment')}
            aria-valuetext={whenText(atMs, now.timeMs)}
            min={since.timeMs}
            max={now.timeMs}
            step={100}
            value={atMs}
            onInput={({ currentTarget }) => drag(Number(currentTarget.value))}
            onChange={({ currentTarget }) => settle(Number(currentTarget.value))}
            onKeyDown={(event) => {
              if (event.key === 'ArrowLeft') step(stepBack(history, atMs));
              else if (event.key === 'ArrowRight') step(stepForward(history, atMs));
              else return;
              event.preventDefault();
            }}
          />
        </div>
        <StepButton icon="forward" text={t('pastForward')} onClick={() => step(stepForward(history, atMs))} />
        <NowButton />
      </div>
      <p class="past-line">
        <span class="muted">
          {t('pastSince', { time: timeText(since.timeMs), age: humanDuration(now.timeMs - since.timeMs) })}
        </span>
        <a href={links.changes()}>{t('whatChanged')}</a>
        <strong class={moment.value || dragged.value ? 'past-when' : 'past-when present'} role="status">
          {whenText(atMs, now.timeMs)}
        </strong>
      </p>
    </>
  );
}

const StepButton = ({ icon, text, onClick }: { icon: 'back' | 'forward'; text: string; onClick(): void }) => (
  <button type="button" class="quiet" aria-label={text} title={text} onClick={onClick}>
    <Icon name={icon} />
  </button>
);

export const timeText = (ms: number): string =>
  new Intl.DateTimeFormat(language.value, { timeStyle: 'medium' }).format(new Date(ms));

const whenText = (ms: number, nowMs: number): string =>
  ms >= nowMs - presentMs ? t('pastPresent') : t('pastWhen', { time: timeText(ms), age: humanDuration(nowMs - ms) });
