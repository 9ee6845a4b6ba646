// Without a session: how to get one.

import { useSignal } from '@preact/signals';
import { resumeSession, session, signIn } from '../session.ts';
import { type TextKey, t } from '../text.ts';
import { Logo } from '../ui/sidebar.tsx';

const reasons: Readonly<Record<string, TextKey>> = {
  expired: 'signInExpired',
  refused: 'signInRefused',
  unreachable: 'signInUnreachable',
  link: 'signInLink',
};

export function SignInPage() {
  const token = useSignal('');
  const isBusy = useSignal(false);
  const state = session.value;
  const reason = state.phase === 'signed-out' ? state.reason : undefined;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!token.value.trim()) return;
    isBusy.value = true;
    await signIn({ token: token.value.trim() });
    isBusy.value = false;
  };
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <Logo />
        <h1>Coracle</h1>
        {reason && (
          <p class="notice bad" role="alert">
            {t(reasons[reason])}
          </p>
        )}
        {reason === 'unreachable' && (
          <button type="button" class="primary" onClick={() => void resumeSession()}>
            {t('tryAgain')}
          </button>
        )}
        <p>{t('signInLead')}</p>
        <pre class="command">./coracle console</pre>
        <form onSubmit={(event) => void submit(event)}>
          <label>
            {t('signInToken')}
            <textarea
              rows={3}
              spellcheck={false}
              autocomplete="off"
              value={token.value}
              onInput={({ currentTarget }) => (token.value = currentTarget.value)}
            />
          </label>
          <button type="submit" class="primary" disabled={isBusy.value || !token.value.trim()}>
            {t('signIn')}
          </button>
        </form>
      </div>
    </main>
  );
}
