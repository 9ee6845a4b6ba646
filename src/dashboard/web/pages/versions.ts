// The versions of an object that the page has seen since it was opened.

import { effect, type ReadonlySignal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { type KubeObject, objectIn } from '../api/api.ts';
import type { OpenFeed } from '../feeds/client.ts';
import { now } from '../system.ts';

export interface Version {
  readonly object: KubeObject;
  /** Milliseconds since the epoch. */
  readonly seenMs: number;
  readonly isDeleted: boolean;
}

const most = 100;

export function useVersions(feed: OpenFeed | undefined): ReadonlySignal<readonly Version[]> {
  const versions = useSignal<readonly Version[]>([]);
  useEffect(() => {
    versions.value = [];
    if (!feed) return;
    return effect(() => {
      void feed.version.value;
      const [value] = feed.objects.values();
      const object = objectIn(value);
      const last = versions.peek().at(-1);
      if (!object) {
        if (last && !last.isDeleted && feed.phase.peek().name === 'live') add({ ...last, isDeleted: true });
      } else if (!last || last.isDeleted || last.object.metadata.resourceVersion !== object.metadata.resourceVersion)
        add({ object, isDeleted: false });
    });
    function add(version: Omit<Version, 'seenMs'>): void {
      versions.value = [...versions.peek(), { ...version, seenMs: now() }].slice(-most);
    }
  }, [feed, versions]);
  return versions;
}
