// Feeds in components: open while the component is shown. They show the moment that is chosen.

import { useEffect, useMemo, useRef } from 'preact/hooks';
import { type OpenFeed, openFeed } from '../feeds/client.ts';
import { type FeedTarget, feedKey } from '../feeds/protocol.ts';
import { moment } from '../past/moment.ts';

export function useFeed(target: FeedTarget | undefined): OpenFeed | undefined {
  const at = moment.value?.revision;
  const asked = target && at !== undefined ? { ...target, at } : target;
  const key = asked ? feedKey(asked) : '';
  // The version and the key stand for the content.
  const feed = useMemo(() => asked && openFeed(asked), [key]);
  useEffect(() => () => feed?.close(), [feed]);
  return useSteady(feed, target ? feedKey(target) : '');
}

/** On the way to another moment the former rows stay until the new ones are there. */
function useSteady(feed: OpenFeed | undefined, key: string): OpenFeed | undefined {
  const shown = useRef<{ readonly key: string; readonly feed: OpenFeed | undefined }>({ key: '', feed: undefined });
  const isLoading = feed?.phase.value.name === 'loading';
  if (!isLoading || shown.current.key !== key) shown.current = { key, feed };
  return shown.current.feed;
}
