// A shell in a container, the terminal of its own program, a debug container, and its files.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { askToDebug } from '../actions/debug.tsx';
import { askForFiles } from '../actions/files.tsx';
import type { KubeObject } from '../api/api.ts';
import { containersOf, type PodContainer } from '../model/containers.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { reportError } from '../ui/toasts.tsx';

type Verb = 'exec' | 'attach';

export function TerminalTab({ object }: { object: KubeObject }) {
  const { name, namespace = '' } = object.metadata;
  const containers = containersOf(object);
  const chosen = useSignal(containers[0]?.name ?? '');
  const verb = useSignal<Verb>('exec');
  const attempt = useSignal(0);
  const ended = useSignal<string | undefined>(undefined);
  const container = containers.find((one) => one.name === chosen.value);
  const choose = (next: string, by: Verb) => {
    chosen.value = next;
    verb.value = by;
    attempt.value++;
  };
  return (
    <div class="terminal-tab">
      <div class="toolbar">
        <ContainerChoice containers={containers} chosen={chosen.value} choose={(next) => choose(next, verb.value)} />
        <select
          aria-label={t('terminalKind')}
          value={verb.value}
          onChange={({ currentTarget }) => choose(chosen.value, currentTarget.value === 'attach' ? 'attach' : 'exec')}
        >
          <option value="exec">{t('shell')}</option>
          <option value="attach">{t('attach')}</option>
        </select>
        {ended.value !== undefined && (
          <>
            <span class="muted" role="status">
              {ended.value || t('terminalEnded')}
            </span>
            <button type="button" onClick={() => attempt.value++}>
              <Icon name="restart" />
              {t('reconnect')}
            </button>
          </>
        )}
        <span class="grow" />
        <button type="button" onClick={() => askToDebug(object, (added) => choose(added, 'attach'))}>
          <Icon name="plus" />
          {t('debug')}
        </button>
        <button
          type="button"
          disabled={!container?.isRunning}
          onClick={() => askForFiles({ namespace, pod: name, container: chosen.value })}
        >
          <Icon name="copy" />
          {t('files')}
        </button>
      </div>
      <TerminalPane
        key={`${chosen.value} ${verb.value} ${attempt.value}`}
        {...{ namespace, pod: name, name: chosen.value, container, verb: verb.value }}
        onEnd={(reason) => (ended.value = reason)}
      />
    </div>
  );
}

interface ChoiceProps {
  readonly containers: readonly PodContainer[];
  readonly chosen: string;
  choose(name: string): void;
}

function ContainerChoice({ containers, chosen, choose }: ChoiceProps) {
  const names = containers.map(({ name }) => name);
  const all = names.includes(chosen) || !chosen ? names : [...names, chosen];
  return (
    <select aria-label={t('containers')} value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {all.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
    </select>
  );
}

interface PaneProps {
  readonly namespace: string;
  readonly pod: string;
  readonly name: string;
  readonly container: PodContainer | undefined;
  readonly verb: Verb;
  onEnd(reason: string | undefined): void;
}

/** Opens when the container runs: a new debug container takes a moment. */
function TerminalPane({ namespace, pod, name, container, verb, onEnd }: PaneProps) {
  const parent = useRef<HTMLDivElement>(null);
  const isRunning = container?.isRunning === true;
  const { stdin = false, tty = false } = container ?? {};
  useEffect(() => onEnd(undefined), []);
  useEffect(() => {
    const element = parent.current;
    if (!element || !isRunning) return;
    let close: (() => void) | undefined;
    let isGone = false;
    const streams = verb === 'exec' ? { stdin: true, tty: true } : { stdin, tty };
    void import('../terminal/terminal.ts').then(({ openTerminal }) => {
      if (!isGone) close = openTerminal(element, { namespace, pod, container: name, verb, ...streams }, onEnd);
    }, reportError);
    return () => {
      isGone = true;
      close?.();
    };
  }, [namespace, pod, name, verb, isRunning]);
  return (
    <>
      {!isRunning && (
        <p class="notice busy flat" role="status">
          {t('containerWaits', { container: name })} {container?.reason}
        </p>
      )}
      {isRunning && verb === 'attach' && !stdin && <p class="notice flat">{t('attachNoInput')}</p>}
      <div ref={parent} class="shell" />
    </>
  );
}
