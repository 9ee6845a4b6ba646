// A shell in a container.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { fieldsIn, listIn, textIn } from '../../../machinery/parsed.ts';
import type { KubeObject } from '../api/api.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { reportError } from '../ui/toasts.tsx';

export function TerminalTab({ object }: { object: KubeObject }) {
  const { name, namespace = '' } = object.metadata;
  const containers = listIn(fieldsIn(object.spec)['containers']).map((item) => textIn(fieldsIn(item)['name']));
  const container = useSignal(containers[0] ?? '');
  const attempt = useSignal(0);
  const ended = useSignal<string | undefined>(undefined);
  const parent = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = parent.current;
    if (!element) return;
    ended.value = undefined;
    let close: (() => void) | undefined;
    let isGone = false;
    void import('../terminal/terminal.ts').then(({ openTerminal }) => {
      if (isGone) return;
      const pod = { namespace, name, container: container.value };
      close = openTerminal(element, pod, (reason) => (ended.value = reason));
    }, reportError);
    return () => {
      isGone = true;
      close?.();
    };
  }, [namespace, name, container.value, attempt.value, ended]);
  return (
    <div class="terminal-tab">
      <div class="toolbar">
        <select
          aria-label={t('containers')}
          value={container.value}
          onChange={({ currentTarget }) => (container.value = currentTarget.value)}
        >
          {containers.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
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
      </div>
      <div ref={parent} class="shell" />
    </div>
  );
}
