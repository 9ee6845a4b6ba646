// Profiles of this process below /debug/pprof, in the formats of Chrome's developer tools.

import type { Session } from 'node:inspector/promises';
import { badRequest, tooManyRequests } from '../../api/api.ts';
import { type RawReply, type Reply, textReply } from '../request/reply.ts';
import type { ApiRequest } from '../request/request.ts';

interface Profile {
  readonly help: string;
  readonly usualSeconds: number;
  readonly ending: string;
  begin(session: Session): Promise<unknown>;
  end(session: Session): Promise<{ readonly profile: object }>;
}

/** By Go's names. */
const profiles: Readonly<Record<string, Profile>> = {
  profile: {
    help: 'CPU profile over ?seconds=30',
    usualSeconds: 30,
    ending: 'cpuprofile',
    async begin(session) {
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
    },
    end: (session) => session.post('Profiler.stop'),
  },
  heap: {
    help: 'sampled allocations that are still in use, over ?seconds=10',
    usualSeconds: 10,
    ending: 'heapprofile',
    begin: (session) => session.post('HeapProfiler.startSampling', { samplingInterval: 32_768 }),
    end: (session) => session.post('HeapProfiler.stopSampling'),
  },
};

/** A client waits this long for a response. */
const mostSeconds = 60;
let isRunning = false;

/** `name` is the rest of the path below /debug/pprof. Undefined: there is no such profile. */
export async function profileReply({ query, server, signal }: ApiRequest, name: string): Promise<Reply | undefined> {
  if (name === '') return textReply(200, index());
  if (name === 'cmdline') return textReply(200, process.argv.join('\0'));
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (!profile) return undefined;
  const seconds = Number(query.get('seconds') ?? profile.usualSeconds);
  if (!(seconds > 0 && seconds <= mostSeconds))
    throw badRequest(`seconds must be a number above 0, and ${mostSeconds} at most`);
  if (isRunning) throw tooManyRequests('another profile is being recorded', mostSeconds);
  isRunning = true;
  try {
    const { Session } = await import('node:inspector/promises');
    const session = new Session();
    session.connect();
    try {
      await profile.begin(session);
      await server.clock.sleep(seconds * 1_000, AbortSignal.any([signal, server.stopping])).catch(() => {});
      return attachment(`${name}.${profile.ending}`, JSON.stringify((await profile.end(session)).profile));
    } finally {
      session.disconnect();
    }
  } finally {
    isRunning = false;
  }
}

const attachment = (file: string, text: string): RawReply => ({
  ...textReply(200, text, 'application/json'),
  headers: { 'Content-Disposition': `attachment; filename="${file}"` },
});

const index = (): string =>
  [
    'Profiles of this process, for the developer tools of Chrome and for VS Code:',
    ...Object.entries(profiles).map(([name, { help }]) => `/debug/pprof/${name}: ${help}`),
    '/debug/pprof/cmdline: the command line',
    '',
  ].join('\n');
