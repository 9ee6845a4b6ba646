// The address of the page, as a signal: every view has its link.

import { computed, signal } from '@preact/signals';
import { unescaped } from '../../machinery/text/percent.ts';
import { base } from './session.ts';

export type Tab = 'overview' | 'yaml' | 'events' | 'why' | 'logs' | 'terminal';

type Route =
  | { readonly page: 'architecture' }
  | { readonly page: 'traffic'; readonly namespace?: string; readonly name?: string }
  | { readonly page: 'list'; readonly kind: string }
  | {
      readonly page: 'object';
      readonly kind: string;
      readonly namespace: string;
      readonly name: string;
      readonly tab: Tab;
    }
  | { readonly page: 'changes' }
  | { readonly page: 'map' }
  | { readonly page: 'create' }
  | { readonly page: 'top' | 'who-can' }
  | { readonly page: 'lab'; readonly lesson?: string }
  | { readonly page: 'helm'; readonly namespace?: string; readonly name?: string }
  | { readonly page: 'missing' };

const tabs: readonly string[] = ['overview', 'yaml', 'events', 'why', 'logs', 'terminal'];

const address = signal(`${location.pathname}${location.search}`);

export const route = computed<Route>(() => parseRoute(address.value.split('?')[0].slice(base.length)));
export const query = computed(() => new URLSearchParams(address.value.split('?')[1] ?? ''));

/** In place of the namespace of a cluster-scoped object. */
const noNamespace = '-';

function parseRoute(path: string): Route {
  const [page = '', ...words] = path.split('/').filter(Boolean).map(unescaped);
  if (page === '') return { page: 'architecture' };
  if (page === 'traffic' || page === 'helm') {
    const [namespace, name] = words;
    return { page, ...(namespace && name && { namespace, name }) };
  }
  if (page === 'lab') return { page, ...(words[0] && { lesson: words[0] }) };
  if (page === 'create' || page === 'top' || page === 'who-can' || page === 'changes') return { page };
  if (page === 'map') return { page };
  const [kind, namespace, name, tab = 'overview'] = words;
  if (page === 'list' && kind) return { page, kind };
  if (page === 'object' && kind && namespace && name && tabs.includes(tab))
    return { page, kind, namespace: namespace === noNamespace ? '' : namespace, name, tab: tab as Tab };
  return { page: 'missing' };
}

const join = (...words: readonly string[]): string => `${base}/${words.map(encodeURIComponent).join('/')}`;

export const links = {
  architecture: () => `${base}/`,
  traffic: (namespace = '', name = '') => (name ? join('traffic', namespace, name) : join('traffic')),
  create: () => join('create'),
  top: () => join('top'),
  lab: (lesson = '') => (lesson ? join('lab', lesson) : join('lab')),
  whoCan: () => join('who-can'),
  helm: (namespace = '', name = '') => (name ? join('helm', namespace, name) : join('helm')),
  changes: () => join('changes'),
  map: () => join('map'),
  list: (kind: string, search: Readonly<Record<string, string>> = {}) => {
    const text = new URLSearchParams(Object.entries(search).filter(([, value]) => value)).toString();
    return join('list', kind) + (text ? `?${text}` : '');
  },
  object: (kind: string, namespace: string, name: string, tab: Tab = 'overview') =>
    join('object', kind, namespace || noNamespace, name, ...(tab === 'overview' ? [] : [tab])),
};

export function go(to: string, { replace = false } = {}): void {
  if (to === address.value) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', to);
  address.value = to;
}

/** Changes parts of the query; an empty text removes one. */
export function setQuery(changes: Readonly<Record<string, string>>): void {
  const search = new URLSearchParams(query.value);
  for (const [name, value] of Object.entries(changes)) value ? search.set(name, value) : search.delete(name);
  const text = search.toString();
  go(address.value.split('?')[0] + (text ? `?${text}` : ''), { replace: true });
}

export function startRouter(): void {
  addEventListener('popstate', () => {
    address.value = `${location.pathname}${location.search}`;
  });
  // Plain links stay plain: with a modifier they open in another tab.
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || link.target || link.download) return;
    if (link.origin !== location.origin || !link.pathname.startsWith(`${base}/`)) return;
    event.preventDefault();
    go(`${link.pathname}${link.search}`);
  });
}
