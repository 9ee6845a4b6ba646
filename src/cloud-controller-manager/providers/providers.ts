// The clouds by their names.

import type { ComponentContext } from '../../client/client.ts';
import type { CloudProvider } from '../provider.ts';
import { type LocalConfig, localProvider } from './local.ts';

export interface ProviderConfig {
  readonly provider: CloudName;
  readonly local: LocalConfig;
  readonly cloudConfig?: string;
  readonly clusterName: string;
}

/** Rejects with the fault of the provider's configuration. */
type OpenProvider = (context: ComponentContext, config: ProviderConfig) => Promise<CloudProvider>;

const providers = {
  local: async (_context, { local }) => localProvider(local),
} as const satisfies Record<string, OpenProvider>;

export type CloudName = keyof typeof providers;

export const openProvider = (context: ComponentContext, config: ProviderConfig): Promise<CloudProvider> =>
  (providers[config.provider] as OpenProvider)(context, config);
