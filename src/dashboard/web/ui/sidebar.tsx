// The navigation: the two views, and all kinds that the server serves.

import { sections } from '../api/catalog.ts';
import { type Kind, kindId, type Section, type SectionName } from '../model/kinds.ts';
import { titleOf } from '../model/titles.ts';
import { links, route } from '../router.ts';
import { hasLab, hasSandbox, isCoracle, session } from '../session.ts';
import { type TextKey, t } from '../text.ts';
import { Icon, type IconName } from './icons.tsx';
import { isMenuOpen, isPaletteOpen } from './keys.ts';

export function Sidebar() {
  const state = session.value;
  const cluster = state.phase === 'signed-in' ? state.session.cluster : undefined;
  return (
    <>
      {isMenuOpen.value && <div class="shade" onClick={() => (isMenuOpen.value = false)} aria-hidden="true" />}
      <nav class={isMenuOpen.value ? 'sidebar open' : 'sidebar'} aria-label={t('menu')} onClick={closeAfterLink}>
        <a class="brand" href={links.architecture()}>
          <Logo />
          <span class="brand-name">{cluster?.name}</span>
          <span class="muted small">{cluster?.kubernetesVersion.replace(/\+.*/, '')}</span>
        </a>
        <button type="button" class="search-button" onClick={() => (isPaletteOpen.value = true)}>
          <Icon name="search" />
          <span>{t('search')}</span>
          <kbd>Ctrl K</kbd>
        </button>
        <div class="nav-scroll">
          <ViewLink to={links.architecture()} page="architecture" icon="architecture" text="architecture" />
          <ViewLink to={links.map()} page="map" icon="map" text="map" />
          <ViewLink to={links.traffic()} page="traffic" icon="traffic" text="traffic" isOff={!isCoracle()} />
          <ViewLink to={links.top()} page="top" icon="chart" text="top" />
          <ViewLink to={links.whoCan()} page="who-can" icon="key" text="whoCan" />
          <ViewLink to={links.helm()} page="helm" icon="helm" text="helm" />
          {(hasLab() || hasSandbox()) && <ViewLink to={links.lab()} page="lab" icon="lab" text="lab" />}
          {sections.value.map((section) => (
            <SectionLinks key={section.name} section={section} />
          ))}
        </div>
      </nav>
    </>
  );
}

function closeAfterLink({ target }: MouseEvent): void {
  if (target instanceof Element && target.closest('a')) isMenuOpen.value = false;
}

export const Logo = () => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" class="logo-back" />
    <path class="logo-boat" d="M5 14h22c0 6.6-4.9 11-11 11S5 20.6 5 14z" />
    <path class="logo-pole" d="M20.5 14.5 25 5.5" />
  </svg>
);

interface ViewLinkProps {
  readonly to: string;
  readonly page: string;
  readonly icon: IconName;
  readonly text: TextKey;
  /** The cluster is another Kubernetes, which has no such view. */
  readonly isOff?: boolean;
}

function ViewLink({ to, page, icon, text, isOff = false }: ViewLinkProps) {
  const isHere = route.value.page === page;
  if (isOff)
    return (
      <span
        class="nav-link view off"
        role="link"
        tabIndex={0}
        aria-disabled="true"
        aria-description={t('onlyCoracle')}
        title={t('onlyCoracle')}
      >
        <Icon name={icon} />
        {t(text)}
      </span>
    );
  return (
    <a class="nav-link view" href={to} aria-current={isHere ? 'page' : undefined}>
      <Icon name={icon} />
      {t(text)}
    </a>
  );
}

function SectionLinks({ section: { name, isGroup, kinds } }: { section: Section }) {
  const current = route.value;
  const here = 'kind' in current ? current.kind : '';
  const isOpen = name === 'workloads' || name === 'network' || kinds.some((kind) => kindId(kind) === here);
  return (
    <details class="nav-section" open={isOpen}>
      <summary>
        <Icon name="chevron" />
        <span class="nav-title">{isGroup ? name : t(`section.${name as SectionName}`)}</span>
      </summary>
      {kinds.map((kind) => (
        <KindLink key={kindId(kind)} kind={kind} isHere={kindId(kind) === here} />
      ))}
    </details>
  );
}

const KindLink = ({ kind, isHere }: { kind: Kind; isHere: boolean }) => (
  <a class="nav-link" href={links.list(kindId(kind))} aria-current={isHere ? 'page' : undefined}>
    {titleOf(kind)}
  </a>
);
