// The worker's program: shared by all pages where browsers can do that, otherwise one for each page.

import { isFields } from '../../../machinery/parsed.ts';
import { Hub, type PagePort } from './hub.ts';
import type { ToWorker } from './protocol.ts';

const hub = new Hub('/console/api');

interface ListeningPort extends PagePort {
  addEventListener(type: 'message', listener: (event: MessageEvent<ToWorker>) => void): void;
  start?(): void;
}

function serve(port: ListeningPort): void {
  port.addEventListener('message', ({ data }) => {
    if (isFields(data)) hub.receive(port, data);
  });
  port.start?.();
}

if ('onconnect' in globalThis)
  globalThis.addEventListener('connect', (event) => {
    for (const port of (event as MessageEvent).ports) serve(port);
  });
else serve(globalThis);
