// The sandbox: starts a simulated cluster beside this one, and leads to its console.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { askSandbox } from '../api/api.ts';
import { t } from '../text.ts';
import { reportError } from '../ui/toasts.tsx';

interface State {
  readonly isOpen: boolean;
  /** Of its console; known to the page that has opened it. */
  readonly url: string;
  readonly kubeconfig: string;
}

export function SandboxPane() {
  const state = useSignal<State | undefined>(undefined);
  const isBusy = useSignal(false);
  const ask = (method: 'GET' | 'POST' | 'DELETE') => {
    isBusy.value = true;
    void askSandbox(method)
      .then((answer) => {
        state.value = stateOf(answer);
      }, reportError)
      .finally(() => {
        isBusy.value = false;
      });
  };
  useEffect(() => ask('GET'), []);
  /** The link signs in once. */
  const used = () => {
    if (state.value) state.value = { ...state.value, url: '' };
  };
  const { isOpen = false, url = '', kubeconfig = '' } = state.value ?? {};
  return (
    <section class="part sandbox" aria-busy={isBusy.value}>
      <h2>{t('sandbox')}</h2>
      <p>{t('sandboxLead')}</p>
      {url && (
        <a class="button primary" href={url} target="_blank" rel="noopener noreferrer" onClick={used}>
          {t('sandboxGo')}
        </a>
      )}
      {!url && (
        <button type="button" class="primary" disabled={isBusy.value} onClick={() => ask('POST')}>
          {t(isOpen ? 'sandboxEnter' : isBusy.value ? 'sandboxStarts' : 'sandboxOpen')}
        </button>
      )}
      {kubeconfig && (
        <div>
          <p class="muted">{t('sandboxCommands')}</p>
          <pre>export KUBECONFIG={kubeconfig}</pre>
        </div>
      )}
      {isOpen && (
        <button type="button" class="danger" disabled={isBusy.value} onClick={() => ask('DELETE')}>
          {t('sandboxRemove')}
        </button>
      )}
    </section>
  );
}

function stateOf(answer: unknown): State {
  const { isOpen, url, kubeconfig } = fieldsIn(answer);
  return {
    isOpen: isOpen === true,
    url: url === undefined ? '' : besideThis(textIn(url)),
    kubeconfig: textIn(kubeconfig),
  };
}

/** It runs on the same machine, which this browser may know by another name. */
function besideThis(link: string): string {
  const url = new URL(link);
  url.hostname = location.hostname;
  return url.href;
}
