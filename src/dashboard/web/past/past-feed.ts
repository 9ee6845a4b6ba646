// The history of the view's objects, asked again and again while the page is visible: the server keeps history for
// longer while a page reads it.

import { effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { getInsight } from '../api/api.ts';
import { type History, historyIn, type Moment, type PastPlace, placeOf, placeQuery } from '../model/history.ts';
import { route } from '../router.ts';
import { session } from '../session.ts';
import { namespace } from '../settings.ts';
import { every } from '../system.ts';
import { isPastOpen, moment } from './moment.ts';

const openMs = 4_000;
const closedMs = 45_000;

export type FoundHistory =
  | { readonly state: 'loading' }
  | { readonly state: 'found'; readonly history: History }
  | { readonly state: 'failed'; readonly message: string };

export const found = signal<FoundHistory>({ state: 'loading' });

/** Undefined: the view has no past. */
function placeOfView(): PastPlace | undefined {
  const current = route.value;
  switch (current.page) {
    case 'architecture':
      return placeOf('pods', '');
    case 'map':
      return placeOf('pods', namespace.value);
    case 'traffic':
      return placeOf('endpointslices.discovery.k8s.io', current.namespace ?? namespace.value);
    case 'list':
      return placeOf(current.kind, namespace.value);
    case 'object':
      return placeOf(current.kind, current.namespace, current.name);
    default:
      return undefined;
  }
}

/** Keeps `found` up to date while the component is shown. */
export function usePast(): void {
  useEffect(() => {
    let asked = 0;
    const ask = async (place: PastPlace) => {
      const number = ++asked;
      const next = await historyOf(place).catch(failed);
      if (number === asked) found.value = next;
    };
    let stop = () => {};
    const dispose = effect(() => {
      stop();
      const place = placeOfView();
      const isOpen = isPastOpen.value;
      found.value = { state: 'loading' };
      asked++;
      if (!place || session.value.phase !== 'signed-in') return;
      const read = () => void (document.hidden || ask(place));
      read();
      stop = every(isOpen ? openMs : closedMs, read);
    });
    return () => {
      stop();
      dispose();
    };
  }, []);
}

const failed = (error: unknown): FoundHistory => ({
  state: 'failed',
  message: error instanceof Error ? error.message : String(error),
});

async function historyOf(place: PastPlace): Promise<FoundHistory> {
  return { state: 'found', history: historyIn(await getInsight('history', placeQuery(place))) };
}

/** Shows the state of that time in all views. Of several calls the last one counts. */
export async function goTo(timeMs: number): Promise<void> {
  const place = placeOfView();
  if (!place) return;
  const number = ++latest;
  const query = { ...placeQuery(place), at: String(Math.round(timeMs)) };
  const { moment: then } = historyIn(await getInsight('history', query));
  if (number === latest) moment.value = then;
}
let latest = 0;

export function show(then: Moment | undefined): void {
  latest++;
  moment.value = then;
}
