// Hetzner Cloud: servers, routes of a network, and load balancers. Tried against a simulated API alone.

import type { ComponentContext } from '../../../client/client.ts';
import type { CloudProvider } from '../../provider.ts';
import { readConfigFile, readText } from '../config-file.ts';
import type { ProviderConfig } from '../provider-config.ts';
import type { BalancerDefaults } from './balancer-plan.ts';
import { HetznerApi, type Outside } from './hetzner-api.ts';
import { hetznerBalancers } from './hetzner-balancers.ts';
import { routesOf, Servers } from './hetzner-servers.ts';

interface HetznerConfig extends BalancerDefaults {
  readonly endpoint: string;
  readonly tokenFile: string;
  readonly hasRoutes: boolean;
}

/** `outside`: for tests, in place of HTTP and files. */
export async function hetznerProvider(
  context: ComponentContext,
  { cloudConfig, holdsLead }: ProviderConfig,
  outside?: Outside,
): Promise<CloudProvider> {
  const { endpoint, tokenFile, hasRoutes, ...defaults } = await readHetznerConfig(cloudConfig);
  const api = new HetznerApi({ endpoint, tokenFile, holdsLead, ...(outside && { outside }) }, context);
  const servers = new Servers(api, context.clock, defaults.network);
  return {
    name: 'hetzner',
    instances: servers,
    loadBalancers: hetznerBalancers(api, defaults),
    ...(hasRoutes && defaults.network !== undefined && { routes: routesOf(api, servers, defaults.network) }),
    problem: () => api.problem,
    stop: () => api.stop(),
  };
}

async function readHetznerConfig(path: string): Promise<HetznerConfig> {
  const file = await readConfigFile(path, 'cloud.coracle.local/v1', 'HetznerCloud');
  const tokenFile = file.file('tokenFile');
  if (!tokenFile) throw file.wrong('tokenFile', 'is missing');
  await readText(tokenFile).catch((error) => {
    throw file.wrong('tokenFile', String(error.message ?? error));
  });
  const endpoint = (file.text('endpoint') ?? 'https://api.hetzner.cloud/v1').replace(/\/+$/, '');
  if (!URL.canParse(endpoint) || new URL(endpoint).protocol !== 'https:')
    throw file.wrong('endpoint', 'must be a URL that begins with https://');
  const network = file.whole('network', 1, Number.MAX_SAFE_INTEGER);
  const [location, networkZone] = [file.text('location'), file.text('networkZone')];
  if (location && networkZone) throw file.wrong('location, networkZone', 'exclude each other');
  const hasRoutes = file.flag('routes') ?? network !== undefined;
  if (hasRoutes && network === undefined) throw file.wrong('routes', 'needs network');
  const config = {
    ...{ endpoint, tokenFile, hasRoutes, type: file.text('loadBalancerType') ?? 'lb11' },
    ...(network !== undefined && { network }),
    ...(location !== undefined && { location }),
    ...(networkZone !== undefined && { networkZone }),
  };
  file.end();
  return config;
}
