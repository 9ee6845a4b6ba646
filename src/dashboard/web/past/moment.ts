// The moment that all views show: the present, or a revision of the store in the past.

import { effect, signal } from '@preact/signals';
import type { Moment } from '../model/history.ts';
import { session } from '../session.ts';

/** Undefined: the present. */
export const moment = signal<Moment | undefined>(undefined);
export const isPastOpen = signal(false);

effect(() => {
  if (session.value.phase === 'signed-in') return;
  moment.value = undefined;
  isPastOpen.value = false;
});
