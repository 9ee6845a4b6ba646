// Above every view: the namespace, and the user's menu.

import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { PastButton } from '../past/past-bar.tsx';
import { links } from '../router.ts';
import { session, signOut } from '../session.ts';
import { type Language, language, languages, namespace, theme, themes } from '../settings.ts';
import { type TextKey, t } from '../text.ts';
import { useFeed } from './feed-hooks.ts';
import { Icon } from './icons.tsx';
import { isMenuOpen } from './keys.ts';

export const TopBar = () => (
  <header class="top-bar">
    <button type="button" class="quiet menu-button" aria-label={t('menu')} onClick={() => (isMenuOpen.value = true)}>
      <Icon name="menu" />
    </button>
    <NamespaceSwitch />
    <span class="grow" />
    <PastButton />
    <a class="button quiet" href={links.create()} aria-label={t('create')}>
      <Icon name="plus" />
      <span class="wide-only">{t('create')}</span>
    </a>
    <UserMenu />
  </header>
);

function NamespaceSwitch() {
  const feed = useFeed({ path: '/api/v1/namespaces', as: 'table' });
  void feed?.version.value;
  const isRefused = feed?.phase.value.name === 'failed';
  const names = [...(feed?.rows.values() ?? [])].map(({ name }) => name).sort();
  const chosen = namespace.value;
  if (isRefused)
    return (
      <input
        class="namespace"
        aria-label={t('namespace')}
        placeholder={t('namespace')}
        value={chosen}
        onChange={({ currentTarget }) => (namespace.value = currentTarget.value.trim())}
      />
    );
  const shown = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
  return (
    <select
      class="namespace"
      aria-label={t('namespace')}
      value={chosen}
      onChange={({ currentTarget }) => (namespace.value = currentTarget.value)}
    >
      <option value="">{t('allNamespaces')}</option>
      {shown.map((name) => (
        <option key={name} value={name}>
          {name}
        </option>
      ))}
    </select>
  );
}

function UserMenu() {
  const isOpen = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !box.current?.contains(event.target as Node))
        isOpen.value = false;
    };
    addEventListener('pointerdown', close);
    addEventListener('keydown', close);
    return () => {
      removeEventListener('pointerdown', close);
      removeEventListener('keydown', close);
    };
  }, [isOpen]);
  const state = session.value;
  const user = state.phase === 'signed-in' ? state.session.user : '';
  return (
    <div class="menu-anchor" ref={box}>
      <button
        type="button"
        class="quiet"
        aria-expanded={isOpen.value}
        aria-label={user}
        onClick={() => (isOpen.value = !isOpen.value)}
      >
        <Icon name="user" />
        <span class="user-name">{user}</span>
      </button>
      {isOpen.value && <UserPanel user={user} />}
    </div>
  );
}

const UserPanel = ({ user }: { user: string }) => (
  <div class="panel-menu">
    <div class="panel-user">{user}</div>
    <label>
      {t('theme')}
      <select
        value={theme.value}
        onChange={({ currentTarget }) => (theme.value = themes.find((one) => one === currentTarget.value) ?? 'system')}
      >
        {themes.map((name) => (
          <option key={name} value={name}>
            {t(`theme.${name}` as TextKey)}
          </option>
        ))}
      </select>
    </label>
    <label>
      {t('language')}
      <select
        value={language.value}
        onChange={({ currentTarget }) => (language.value = currentTarget.value as Language)}
      >
        {Object.entries(languages).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </label>
    <button type="button" onClick={() => void signOut()}>
      {t('signOut')}
    </button>
  </div>
);
