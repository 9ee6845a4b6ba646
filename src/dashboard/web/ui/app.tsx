// The frame of all pages: sign-in, or navigation and a view.

import { useEffect } from 'preact/hooks';
import { catalogFault, kinds, loadCatalog } from '../api/catalog.ts';
import { followLab } from '../lab/lab-state.ts';
import { ArchitecturePage } from '../pages/architecture.tsx';
import { CreatePage } from '../pages/create.tsx';
import { ListPage } from '../pages/list.tsx';
import { ObjectPage } from '../pages/object.tsx';
import { SignInPage } from '../pages/sign-in.tsx';
import { TrafficPage } from '../pages/traffic.tsx';
import { ChangesPage } from '../past/changes-page.tsx';
import { PastBar } from '../past/past-bar.tsx';
import { route } from '../router.ts';
import { hasLab, isCoracle, session } from '../session.ts';
import { every } from '../system.ts';
import { t } from '../text.ts';
import { Dialogs } from './dialogs.tsx';
import { listenForKeys } from './keys.ts';
import { lazy } from './lazy.tsx';
import { Palette } from './palette.tsx';
import { Sidebar } from './sidebar.tsx';
import { Toasts } from './toasts.tsx';
import { TopBar } from './top-bar.tsx';

const TopPage = lazy(async () => (await import('../pages/top.tsx')).TopPage);
const WhoCanPage = lazy(async () => (await import('../pages/who-can.tsx')).WhoCanPage);
const MapPage = lazy(async () => (await import('../map/map-page.tsx')).MapPage);
const LabPage = lazy(async () => (await import('../pages/lab.tsx')).LabPage);
const HelmPage = lazy(async () => (await import('../pages/helm.tsx')).HelmPage);

/** New kinds appear in the navigation after this time. */
const catalogMs = 60_000;

export function App() {
  const { phase } = session.value;
  if (phase === 'checking') return <div class="splash" aria-busy="true" />;
  if (phase === 'signed-out') return <SignInPage />;
  return <Frame />;
}

function Frame() {
  useEffect(() => {
    void loadCatalog();
    return every(catalogMs, () => {
      if (!document.hidden) void loadCatalog();
    });
  }, []);
  useEffect(listenForKeys, []);
  useEffect(() => (hasLab() ? followLab() : undefined), []);
  return (
    <div class="frame">
      <a class="skip" href="#main">
        {t('skip')}
      </a>
      <Sidebar />
      <div class="page">
        <TopBar />
        {isCoracle() && <PastBar />}
        <main id="main" tabIndex={-1}>
          {kinds.value.length === 0 && catalogFault.value && (
            <p class="notice busy" role="alert">
              {t('noCatalog', { message: catalogFault.value })}
            </p>
          )}
          <View />
        </main>
      </div>
      <Palette />
      <Dialogs />
      <Toasts />
    </div>
  );
}

function View() {
  const current = route.value;
  switch (current.page) {
    case 'architecture':
      return <ArchitecturePage />;
    case 'traffic':
      return <TrafficPage place={current.namespace} name={current.name} />;
    case 'map':
      return <MapPage />;
    case 'changes':
      return <ChangesPage />;
    case 'create':
      return <CreatePage />;
    case 'top':
      return <TopPage />;
    case 'who-can':
      return <WhoCanPage />;
    case 'lab':
      return <LabPage lesson={current.lesson} />;
    case 'helm':
      return <HelmPage place={current.namespace} name={current.name} />;
    case 'list':
      return <ListPage key={current.kind} id={current.kind} />;
    case 'object': {
      const { kind, namespace, name, tab } = current;
      return <ObjectPage key={`${kind}/${namespace}/${name}`} {...{ id: kind, namespace, name, tab }} />;
    }
    default:
      return <p class="notice">{t('missingPage')}</p>;
  }
}
