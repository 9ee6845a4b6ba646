// The web console, on the port of the API server. Its code is loaded by the first request, or by the first link.

import { kubernetesVersion } from '../../api/api.ts';
import type { RunningComponent } from '../../client/client.ts';
import type { Dashboard, Insights } from '../../dashboard/dashboard.ts';
import { traceService } from '../../kube-proxy/kube-proxy.ts';
import { urlHost } from '../../machinery/ip.ts';
import { assetsDirectory } from '../assets-directory.ts';
import type { PartContext } from '../context.ts';
import { identities } from '../identities.ts';
import { version } from '../version.ts';
import type { ApiServerPart } from './api-server.ts';

export interface ConsoleLink {
  readonly url: string;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
}

export interface ConsolePart extends RunningComponent {
  /** A link that signs the administrator in, once. */
  createLink(): Promise<ConsoleLink>;
}

export function startConsolePart(
  { config, clock, lab, sandbox }: PartContext,
  api: ApiServerPart,
  insights: Omit<Insights, 'trace' | 'history' | 'refusals' | 'deletions'>,
): ConsolePart {
  let loaded: Promise<Dashboard> | undefined;
  const load = () => (loaded ??= loadDashboard());
  const loadDashboard = async () => {
    const { createDashboard } = await import('../../dashboard/dashboard.ts');
    return createDashboard({
      // Sessions last in the time of the user.
      clock: lab?.realClock ?? clock,
      ...(lab && { lab }),
      ...(sandbox && { sandbox }),
      assets: assetsDirectory(),
      cluster: { name: config.name, version, kubernetesVersion: kubernetesVersion.gitVersion, isCoracle: true },
      userOfToken: (token) => api.userOfToken(token),
      clientFor: (user) => api.clientFor(user),
      insights: {
        ...{ ...insights, trace: traceService, history: api.history },
        ...{ refusals: api.refusals, deletions: api.deletions },
      },
    });
  };
  api.serveSite({ prefix: '/console', answer: async (request) => (await load()).answer(request) });
  return {
    async createLink() {
      const { path, expiresMs } = (await load()).createLink(identities.admin);
      return { url: `https://${urlHost(config.nodeIP)}:${api.port}${path}`, expiresMs };
    },
    async stop() {
      (await loaded)?.stop();
    },
  };
}
