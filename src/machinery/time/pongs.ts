// Answers to pings of WebSockets. A client may send thousands at once: the latest one of a turn is answered, which
// RFC 6455 (section 5.5.3) permits.

import { ownTurn } from './turn.ts';

/** A WebSocket that does not answer pings itself. */
interface Pinged<Data> {
  readonly bufferedAmount: number;
  on(event: 'ping', listener: (data: Data) => void): unknown;
  pong(data: Data): void;
}

/** A client that does not read gets no more answers. */
const mostPendingBytes = 64 << 10;

export function answerPings<Data>(webSocket: Pinged<Data>): void {
  let latest: { readonly data: Data } | undefined;
  const answer = () => {
    const ping = latest;
    latest = undefined;
    if (ping && webSocket.bufferedAmount < mostPendingBytes) webSocket.pong(ping.data);
  };
  webSocket.on('ping', (data) => {
    const isWaiting = latest !== undefined;
    latest = { data };
    if (!isWaiting) void ownTurn().then(answer);
  });
}
