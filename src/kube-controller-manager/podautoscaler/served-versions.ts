// The versions of an API group that the server has now.

import { isNotFound } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';

interface Version {
  readonly version: string;
}

/** The preferred version first; none when the server does not have the group. */
export async function servedVersions(client: Client, group: string): Promise<string[]> {
  try {
    const { versions, preferredVersion } = await client.raw<{
      readonly versions: readonly Version[];
      readonly preferredVersion?: Version;
    }>('GET', `/apis/${group}`);
    const all = versions.map(({ version }) => version);
    return [...new Set([preferredVersion?.version ?? all[0], ...all])];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
