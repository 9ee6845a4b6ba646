// exec and attach over WebSockets. https://kubernetes.io/docs/reference/using-api/api-concepts/ (v5.channel.k8s.io)

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { base, currentKey } from '../session.ts';
import { after } from '../system.ts';

export interface StreamTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly verb: 'exec' | 'attach';
  readonly command?: readonly string[];
  readonly stdin?: boolean;
  readonly tty?: boolean;
}

interface StreamHandlers {
  onOpen?(): void;
  onOutput(bytes: Uint8Array<ArrayBuffer>, isError: boolean): void;
  /** `reason`: '' for a normal end. */
  onEnd(reason: string): void;
}

interface Stream {
  write(bytes: Uint8Array): void;
  resize(columns: number, rows: number): void;
  /** Resolves when little is left to send. */
  drained(): Promise<void>;
  /** Ends the input. */
  finish(): void;
  close(): void;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, close: 255 } as const;
const most = 1 << 20;
const pauseMs = 20;

export function openStream(target: StreamTarget, { onOpen, onOutput, onEnd }: StreamHandlers): Stream {
  const socket = new WebSocket(urlOf(target), ['v5.channel.k8s.io', `key.console.coracle.${currentKey()}`]);
  socket.binaryType = 'arraybuffer';
  let reason = '';
  const send = (channel: number, bytes: Uint8Array) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(Uint8Array.of(channel, ...bytes));
  };
  socket.onopen = () => onOpen?.();
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    const bytes = new Uint8Array(data);
    const content = bytes.subarray(1);
    if (bytes[0] === channels.error) reason = reasonIn(content);
    else if (bytes[0] === channels.stdout || bytes[0] === channels.stderr)
      onOutput(content, bytes[0] === channels.stderr);
  };
  socket.onclose = ({ wasClean }) => onEnd(reason || (wasClean ? '' : 'the connection broke off'));
  return {
    write: (bytes) => send(channels.stdin, bytes),
    resize: (columns, rows) =>
      send(channels.resize, new TextEncoder().encode(JSON.stringify({ Width: columns, Height: rows }))),
    async drained() {
      while (socket.readyState === WebSocket.OPEN && socket.bufferedAmount > most)
        await new Promise<void>((resolve) => void after(pauseMs, resolve));
    },
    finish: () => send(channels.close, Uint8Array.of(channels.stdin)),
    close() {
      socket.onclose = null;
      socket.close();
    },
  };
}

function urlOf({ namespace, pod, container, verb, command = [], stdin = false, tty = false }: StreamTarget): string {
  const query = new URLSearchParams({ container, stdin: String(stdin), stdout: 'true', tty: String(tty) });
  if (!tty) query.set('stderr', 'true');
  for (const word of command) query.append('command', word);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/${verb}`;
  return `${location.origin.replace(/^http/, 'ws')}${base}/api${path}?${query}`;
}

/** The last message is a Status: success, or why the command ended. */
function reasonIn(bytes: Uint8Array): string {
  try {
    const status = fieldsIn(JSON.parse(new TextDecoder().decode(bytes)));
    return status['status'] === 'Success' ? '' : textIn(status['message']);
  } catch {
    return '';
  }
}
