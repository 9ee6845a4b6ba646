// The clouds by their names.

import type { ComponentContext } from '../../client/client.ts';
import type { CloudProvider } from '../provider.ts';
import { externalProvider } from './external/external.ts';
import { hetznerProvider } from './hetzner/hetzner.ts';
import { type LocalConfig, localProvider } from './local.ts';
import type { ProviderConfig } from './provider-config.ts';

interface AnyConfig extends ProviderConfig {
  readonly local: LocalConfig;
}

/** Rejects with the fault of the provider's configuration. */
type OpenProvider = (context: ComponentContext, config: AnyConfig) => Promise<CloudProvider>;

const providers = {
  local: async (_context, { local }) => localProvider(local),
  external: externalProvider,
  hetzner: (context, config) => hetznerProvider(context, config),
} as const satisfies Record<string, OpenProvider>;

export type CloudName = keyof typeof providers;

export const openProvider = (
  context: ComponentContext,
  { provider, ...config }: AnyConfig & { readonly provider: CloudName },
): Promise<CloudProvider> => (providers[provider] as OpenProvider)(context, config);
