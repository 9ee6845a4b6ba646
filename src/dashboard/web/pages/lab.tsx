// The lab of a simulated cluster: the pace of time, nodes that fail on command, and lessons.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { changeLab, type LabNode, lab, labFault } from '../lab/lab-state.ts';
import type { LabChange, Lesson } from '../lab/lesson.ts';
import { lessons } from '../lab/lessons.ts';
import { links } from '../router.ts';
import { hasLab, hasSandbox } from '../session.ts';
import { language } from '../settings.ts';
import { now } from '../system.ts';
import { type TextKey, t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { useNow } from '../ui/now.ts';
import { reportError } from '../ui/toasts.tsx';
import { LessonView } from './lesson.tsx';
import { doneSteps } from './lesson-progress.ts';
import { SandboxPane } from './sandbox.tsx';

export function LabPage({ lesson }: { lesson: string | undefined }) {
  const shown = lessons.find(({ id }) => id === lesson);
  return (
    <section class="tool-page lab" aria-label={t('lab')}>
      <header class="page-head">
        <h1 class="page-title">{t('lab')}</h1>
        <span class="muted">{t('labLead')}</span>
      </header>
      {!hasLab() && (hasSandbox() ? <SandboxPane /> : <p class="muted pad">{t('labNone')}</p>)}
      {labFault.value && (
        <p class="notice busy" role="alert">
          {labFault.value}
        </p>
      )}
      {hasLab() && (
        <div class="lab-panes">
          <div class="lab-side">
            {lab.value && <Pace pace={lab.value.pace} />}
            {lab.value && <Nodes nodes={lab.value.nodes} />}
          </div>
          <div class="lab-main">{shown ? <LessonView lesson={shown} /> : <Lessons />}</div>
        </div>
      )}
    </section>
  );
}

/** 0: held. */
const paces = [0, 0.1, 1, 10, 60, 600];

const change = (wanted: LabChange): void => void changeLab(wanted).catch(reportError);

function Pace({ pace }: { pace: number }) {
  useNow(500);
  return (
    <section class="part">
      <h2>{t('labTime')}</h2>
      <p class="lab-clock">{new Date(now()).toLocaleString(language.value)}</p>
      <div class="switch" role="group" aria-label={t('labTime')}>
        {paces.map((one) => (
          <button
            key={one}
            type="button"
            aria-pressed={one === pace}
            title={one === 0 ? t('labHeld') : undefined}
            aria-label={one === 0 ? t('labHeld') : undefined}
            onClick={() => change({ pace: one })}
          >
            {one === 0 ? <Icon name="pause" /> : `${one}×`}
          </button>
        ))}
      </div>
    </section>
  );
}

const switches = ['isStopped', 'isCut', 'isFull'] as const;

const Nodes = ({ nodes }: { nodes: readonly LabNode[] }) => (
  <section class="part">
    <h2>{t('nodes')}</h2>
    <ul class="lab-nodes">
      {nodes.map((node) => (
        <li key={node.name}>
          <a href={links.object('nodes', '', node.name)}>{node.name}</a>
          <div class="lab-switches">
            {switches.map((one) => (
              <NodeSwitch key={one} node={node} name={one} />
            ))}
          </div>
        </li>
      ))}
    </ul>
  </section>
);

function NodeSwitch({ node, name }: { node: LabNode; name: (typeof switches)[number] }) {
  const isBusy = useSignal(false);
  const isOn = node[name];
  const run = () => {
    isBusy.value = true;
    void changeLab({ node: node.name, [name]: !isOn })
      .catch(reportError)
      .finally(() => {
        isBusy.value = false;
      });
  };
  return (
    <button
      type="button"
      class={isOn ? 'danger' : ''}
      aria-pressed={isOn}
      aria-label={`${t(`lab.${name}` as TextKey)} ${node.name}`}
      disabled={isBusy.value}
      onClick={run}
    >
      {t(`lab.${name}` as TextKey)}
    </button>
  );
}

function Lessons() {
  const done = useSignal<Readonly<Record<string, number>>>({});
  useEffect(() => {
    done.value = Object.fromEntries(lessons.map(({ id }) => [id, doneSteps(id)]));
  }, [done]);
  return (
    <ol class="lessons">
      {lessons.map((lesson) => (
        <LessonLink key={lesson.id} lesson={lesson} done={done.value[lesson.id] ?? 0} />
      ))}
    </ol>
  );
}

const LessonLink = ({ lesson: { id, title, text, steps }, done }: { lesson: Lesson; done: number }) => (
  <li>
    <a class="lesson-card" href={links.lab(id)}>
      <span class="lesson-title">
        {title[language.value] ?? title['en']}
        {done > 0 && (
          <span class={done >= steps.length ? 'lesson-done' : 'muted small'}>
            {done >= steps.length ? <Icon name="apply" /> : `${done}/${steps.length}`}
          </span>
        )}
      </span>
      <span class="muted">{text[language.value] ?? text['en']}</span>
    </a>
  </li>
);
