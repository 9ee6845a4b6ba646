// One lesson: its steps, of which the first that is not done is checked again and again.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import { getJson, objectIn } from '../api/api.ts';
import { apply, kindFor } from '../api/write.ts';
import { holds } from '../lab/check.ts';
import { changeLab, lab } from '../lab/lab-state.ts';
import { changeFor, type Lesson, type Step, withNode } from '../lab/lesson.ts';
import { links } from '../router.ts';
import { language } from '../settings.ts';
import { every } from '../system.ts';
import { t } from '../text.ts';
import { CopyLine } from '../ui/copy-line.tsx';
import { Icon } from '../ui/icons.tsx';
import { report, reportError } from '../ui/toasts.tsx';
import { doneSteps, setDoneSteps } from './lesson-progress.ts';

const periodMs = 1_500;

export function LessonView({ lesson }: { lesson: Lesson }) {
  const { id, title, text, steps, cleanup } = lesson;
  const done = useSignal(doneSteps(id));
  const node = useFirstNode();
  const current = steps[done.value];
  const finish = (count: number) => {
    done.value = count;
    setDoneSteps(id, count);
  };
  useEffect(() => {
    if (!current || !node) return;
    let isOver = false;
    const cancel = every(periodMs, () => {
      if (document.hidden) return;
      void isDone(current, node).then(
        (isTrue) => {
          if (isTrue && !isOver) finish(done.value + 1);
        },
        () => undefined,
      );
    });
    return () => {
      isOver = true;
      cancel();
    };
  }, [current, node]);
  return (
    <article class="lesson">
      <p>
        <a href={links.lab()}>{t('labAll')}</a>
      </p>
      <h2 class="lesson-heading">{title[language.value] ?? title['en']}</h2>
      <p class="lesson-text">{text[language.value] ?? text['en']}</p>
      <ol class="steps">
        {steps.map((step, index) => (
          <StepView key={index} step={step} node={node} state={stateOf(index, done.value)} number={index + 1} />
        ))}
      </ol>
      {done.value >= steps.length && (
        <>
          <p class="lesson-end" role="status">
            <Icon name="apply" />
            {t('lessonDone')}
          </p>
          {cleanup.map((command) => (
            <CopyLine key={command} text={command} />
          ))}
        </>
      )}
      {done.value > 0 && (
        <button type="button" class="quiet" onClick={() => finish(0)}>
          <Icon name="restart" />
          {t('lessonAgain')}
        </button>
      )}
    </article>
  );
}

const stateOf = (index: number, done: number) => (index < done ? 'done' : index === done ? 'current' : 'later');

interface StepProps {
  readonly step: Step;
  readonly node: string;
  readonly number: number;
  readonly state: 'done' | 'current' | 'later';
}

function StepView({ step: { text, manifest, run, lab: changes }, node, number, state }: StepProps) {
  return (
    <li class={`step ${state}`} aria-current={state === 'current' ? 'step' : undefined}>
      <span class="step-mark" aria-hidden="true">
        {state === 'done' ? <Icon name="apply" /> : number}
      </span>
      <div class="step-body">
        <p>{text[language.value] ?? text['en']}</p>
        {state === 'current' && (
          <>
            {manifest && <Manifest text={withNode(manifest, node)} />}
            {run.map((command) => (
              <CopyLine key={command} text={withNode(command.replace(/^! /, ''), node)} />
            ))}
            {changes.length > 0 && (
              <button
                type="button"
                onClick={() => {
                  void (async () => {
                    for (const change of changes) await changeLab(changeFor(change, node));
                  })().catch(reportError);
                }}
              >
                <Icon name="play" />
                {t('lessonLab')}
              </button>
            )}
          </>
        )}
      </div>
    </li>
  );
}

function Manifest({ text }: { text: string }) {
  const isBusy = useSignal(false);
  const run = async () => {
    isBusy.value = true;
    try {
      const count = await applyAll(text);
      report(t('applied', { count }));
    } catch (error) {
      reportError(error);
    }
    isBusy.value = false;
  };
  return (
    <>
      <details class="manifest">
        <summary>YAML</summary>
        <pre class="yaml" tabIndex={0} role="region" aria-label="YAML">
          {text}
        </pre>
      </details>
      <button type="button" class="primary" disabled={isBusy.value} onClick={() => void run()}>
        <Icon name="apply" />
        {t('apply')}
      </button>
    </>
  );
}

async function applyAll(text: string): Promise<number> {
  const { documentsIn } = await import('../model/yaml.ts');
  const objects = documentsIn(text).flatMap((value) => objectIn(value) ?? []);
  for (const object of objects) {
    const kind = kindFor(object);
    const metadata = kind.isNamespaced ? { namespace: 'default', ...object.metadata } : object.metadata;
    await apply(kind, { ...object, metadata }, { isDryRun: false, isForced: true });
  }
  return objects.length;
}

async function isDone({ objects, check }: Step, node: string): Promise<boolean> {
  const lists = await Promise.all(
    Object.entries(objects).map(async ([name, path]) => {
      const list = await getJson(path);
      return [name, listIn(fieldsIn(list)['items'])] as const;
    }),
  );
  return holds(check, { ...Object.fromEntries(lists), node, pace: lab.value?.pace ?? 1 });
}

/** The node that a lesson works with. */
function useFirstNode(): string {
  const node = useSignal('');
  useEffect(() => {
    getJson('/api/v1/nodes').then((list) => {
      const names = listIn(fieldsIn(list)['items']).map((item) => textIn(fieldsIn(fieldsIn(item)['metadata'])['name']));
      node.value = names.sort()[0] ?? '';
    }, reportError);
  }, [node]);
  return node.value;
}
