import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { drained } from './drained.ts';

test.each(['drain', 'close'] as const)(
  'a stream that waited many times for %s has no listeners left',
  async (event) => {
    const stream = new EventEmitter();
    for (let i = 0; i < 20; i++) {
      const waiting = drained(stream);
      stream.emit(event);
      await waiting;
      expect([stream.listenerCount('drain'), stream.listenerCount('close')]).toEqual([0, 0]);
    }
  },
);
