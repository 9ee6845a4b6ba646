// xterm over exec and attach. Loaded when a terminal is opened.

import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { openStream, type StreamTarget } from '../api/stream.ts';
import { styleNonce } from '../nonce.ts';

/** The best shell that the image has. */
const shell = ['sh', '-c', 'TERM=xterm-256color; export TERM; command -v bash >/dev/null && exec bash || exec sh'];

/** Returns a function that closes it. `onEnd` gets the reason, '' for a normal end. */
export function openTerminal(
  parent: HTMLElement,
  target: Omit<StreamTarget, 'command'>,
  onEnd: (reason: string) => void,
): () => void {
  const terminal = new Terminal({
    ...{ fontSize: 13, cursorBlink: true, scrollback: 10_000, theme: themeOf(parent) },
    // Without a terminal in the container, its lines end without a carriage return.
    convertEol: target.tty !== true,
    fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  withStyleNonce(() => terminal.open(parent));
  const stream = openStream(
    { ...target, ...(target.verb === 'exec' && { command: shell }) },
    {
      onOpen() {
        fit.fit();
        stream.resize(terminal.cols, terminal.rows);
        terminal.focus();
      },
      onOutput: (bytes) => terminal.write(bytes),
      onEnd,
    },
  );
  const encoder = new TextEncoder();
  terminal.onData((text) => stream.write(encoder.encode(text)));
  terminal.onResize(({ cols, rows }) => stream.resize(cols, rows));
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(parent);
  return () => {
    observer.disconnect();
    stream.close();
    terminal.dispose();
  };
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
