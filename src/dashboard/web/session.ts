// The session: its key is kept here, its cookie by the browser. A request needs both.

import { signal } from '@preact/signals';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import { keyHeaders } from './api/key.ts';
import { after } from './system.ts';

interface SignedIn {
  readonly user: string;
  readonly key: string;
  readonly expires: number;
  readonly cluster: {
    readonly name: string;
    readonly version: string;
    readonly kubernetesVersion: string;
    /** False: another Kubernetes, of which the console knows its API alone. */
    readonly isCoracle: boolean;
    /** Its nodes are simulated: time and failures can be changed. */
    readonly hasLab: boolean;
    /** A simulated cluster can be started beside it. */
    readonly hasSandbox: boolean;
  };
}

type SessionState =
  | { readonly phase: 'checking' }
  | { readonly phase: 'signed-out'; readonly reason?: 'expired' | 'refused' | 'unreachable' | 'link' }
  | { readonly phase: 'signed-in'; readonly session: SignedIn };

export const session = signal<SessionState>({ phase: 'checking' });
export const isCoracle = (): boolean => session.value.phase !== 'signed-in' || session.value.session.cluster.isCoracle;
export const hasLab = (): boolean => session.value.phase === 'signed-in' && session.value.session.cluster.hasLab;
export const hasSandbox = (): boolean =>
  session.value.phase === 'signed-in' && session.value.session.cluster.hasSandbox;
export const base = '/console';
const place = 'coracle.key';

export const currentKey = (): string => (session.value.phase === 'signed-in' ? session.value.session.key : '');

/** At the start: a link in the address signs in; otherwise the key of an earlier visit counts. */
export async function resumeSession(): Promise<void> {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (code) {
    // The code is of no use to a reader of the history, and is removed all the same.
    history.replaceState(null, '', location.pathname + location.search);
    if (await signIn({ code })) return;
    session.value = { phase: 'signed-out', reason: 'link' };
    return;
  }
  const key = localStorage.getItem(place);
  if (!key) {
    session.value = { phase: 'signed-out' };
    return;
  }
  try {
    const response = await persistent(() => fetch(`${base}/session`, { headers: keyHeaders(key) }));
    if (response.ok) enter({ ...(await response.json()), key });
    else expire();
  } catch {
    session.value = { phase: 'signed-out', reason: 'unreachable' };
  }
}

export async function signIn(credentials: { code: string } | { token: string }): Promise<boolean> {
  try {
    const response = await persistent(() =>
      fetch(`${base}/session`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(credentials),
      }),
    );
    if (response.ok) {
      enter(await response.json());
      return true;
    }
    session.value = { phase: 'signed-out', reason: 'refused' };
  } catch {
    session.value = { phase: 'signed-out', reason: 'unreachable' };
  }
  return false;
}

/** Asks the server whether the session counts. Undefined: it does not answer. */
export async function checkSession(): Promise<boolean | undefined> {
  try {
    const { ok, status } = await fetch(`${base}/session`, { headers: keyHeaders(currentKey()) });
    if (status === 401) expire();
    return ok ? true : status === 401 ? false : undefined;
  } catch {
    return undefined;
  }
}

const attempts = 3;
const pauseMs = 400;

/** A change of the machine's networks breaks off requests: they are sent again. */
async function persistent(send: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt++)
    try {
      return await send();
    } catch (error) {
      if (attempt === attempts) throw error;
      await new Promise<void>((resolve) => void after(pauseMs, resolve));
    }
}

function enter(answer: unknown): void {
  const { user, key, expires, cluster } = fieldsIn(answer);
  const { name, version, kubernetesVersion, isCoracle, hasLab, hasSandbox } = fieldsIn(cluster);
  localStorage.setItem(place, textIn(key));
  session.value = {
    phase: 'signed-in',
    session: {
      user: textIn(user),
      key: textIn(key),
      expires: Number(expires),
      cluster: {
        name: textIn(name),
        version: textIn(version),
        kubernetesVersion: textIn(kubernetesVersion),
        isCoracle: isCoracle === true,
        hasLab: hasLab === true,
        hasSandbox: hasSandbox === true,
      },
    },
  };
}

/** The server no longer accepts the session. */
export function expire(): void {
  localStorage.removeItem(place);
  session.value = { phase: 'signed-out', reason: 'expired' };
}

export async function signOut(): Promise<void> {
  const key = currentKey();
  localStorage.removeItem(place);
  await fetch(`${base}/session`, { method: 'DELETE', headers: keyHeaders(key) }).catch(() => undefined);
  session.value = { phase: 'signed-out' };
}
