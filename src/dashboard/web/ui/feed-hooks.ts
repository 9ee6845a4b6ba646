// Feeds in components: open while the component is shown.

import { useEffect, useMemo } from 'preact/hooks';
import { type OpenFeed, openFeed } from '../feeds/client.ts';
import { type FeedTarget, feedKey } from '../feeds/protocol.ts';

export function useFeed(target: FeedTarget | undefined): OpenFeed | undefined {
  const key = target ? feedKey(target) : '';
  // The version and the key stand for the content.
  const feed = useMemo(() => target && openFeed(target), [key]);
  useEffect(() => () => feed?.close(), [feed]);
  return feed;
}
