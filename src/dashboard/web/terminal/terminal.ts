// xterm over the exec subresource. Loaded when a terminal is opened.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-websockets (v5.channel.k8s.io)

import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { fieldsIn, textIn } from '../../../machinery/parsed.ts';
import { styleNonce } from '../nonce.ts';
import { base, currentKey } from '../session.ts';

export interface Container {
  readonly namespace: string;
  readonly name: string;
  readonly container: string;
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** The best shell that the image has. */
const shell = ['sh', '-c', 'TERM=xterm-256color; export TERM; command -v bash >/dev/null && exec bash || exec sh'];

/** Returns a function that closes it. `onEnd` gets the reason, '' for a normal end. */
export function openTerminal(parent: HTMLElement, container: Container, onEnd: (reason: string) => void): () => void {
  const terminal = new Terminal({
    ...{ fontSize: 13, cursorBlink: true, scrollback: 10_000, theme: themeOf(parent) },
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  withStyleNonce(() => terminal.open(parent));
  const socket = new WebSocket(urlOf(container), ['v5.channel.k8s.io', `key.console.coracle.${currentKey()}`]);
  socket.binaryType = 'arraybuffer';
  let reason = '';
  const send = (channel: number, bytes: Uint8Array) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(Uint8Array.of(channel, ...bytes));
  };
  const encoder = new TextEncoder();
  terminal.onData((text) => send(channels.stdin, encoder.encode(text)));
  terminal.onResize(({ cols, rows }) =>
    send(channels.resize, encoder.encode(JSON.stringify({ Width: cols, Height: rows }))),
  );
  socket.onopen = () => {
    fit.fit();
    send(channels.resize, encoder.encode(JSON.stringify({ Width: terminal.cols, Height: terminal.rows })));
    terminal.focus();
  };
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    const bytes = new Uint8Array(data);
    if (bytes[0] === channels.error) reason = reasonIn(bytes.subarray(1));
    else if (bytes[0] === channels.stdout || bytes[0] === channels.stderr) terminal.write(bytes.subarray(1));
  };
  socket.onclose = ({ wasClean }) => onEnd(reason || (wasClean ? '' : 'the connection broke off'));
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(parent);
  return () => {
    observer.disconnect();
    socket.onclose = null;
    socket.close();
    terminal.dispose();
  };
}

function urlOf({ namespace, name, container }: Container): string {
  const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', tty: 'true' });
  for (const word of shell) query.append('command', word);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/exec`;
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

function themeOf(element: HTMLElement) {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const [background, foreground] = [colour('--surface'), colour('--text')];
  return {
    background,
    foreground,
    cursor: foreground,
    cursorAccent: background,
    selectionBackground: colour('--line-strong'),
  };
}

/** The page's policy takes the styles that xterm adds only with its nonce. It makes them while it opens. */
function withStyleNonce(open: () => void): void {
  const create = document.createElement.bind(document);
  const withNonce = (tag: string, options?: ElementCreationOptions) => {
    const element = create(tag, options);
    if (tag === 'style') element.nonce = styleNonce();
    return element;
  };
  Object.defineProperty(document, 'createElement', { value: withNonce, configurable: true });
  try {
    open();
  } finally {
    Reflect.deleteProperty(document, 'createElement');
  }
}
