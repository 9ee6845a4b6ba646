// The cluster of a machine that has joined: stored in the machine's data directory, so that it starts again without a
// token, and while the server that it joined at is away.

import { readFile } from 'node:fs/promises';
import { fieldsIn, textIn } from '../../machinery/parsed.ts';
import { type DataDirectory, DataDirectoryError } from '../data-directory.ts';
import { writeWhole } from '../write-whole.ts';
import { hostAndPort } from './balancer.ts';
import { caHashes } from './ca-hash.ts';
import { parseSettings } from './join-objects.ts';
import type { SharedSettings } from './types.ts';

export interface Membership {
  readonly node: string;
  /** PEM. */
  readonly ca: string;
  /** API servers, as host:port. */
  readonly servers: readonly string[];
  readonly settings: SharedSettings;
}

export const membershipFile = ({ root }: Pick<DataDirectory, 'root'>): string => `${root}/membership.json`;

/** Undefined when the machine has not joined. Throws DataDirectoryError for a damaged file. */
export async function readMembership(directory: DataDirectory): Promise<Membership | undefined> {
  const file = membershipFile(directory);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const found = parse(text);
  if (found) return found;
  throw new DataDirectoryError(
    `${file} is damaged: remove it, and join again with a new token ("coracle agent --join ...")`,
  );
}

function parse(text: string): Membership | undefined {
  try {
    const { node, ca, servers, settings } = fieldsIn(JSON.parse(text));
    const shared = parseSettings(JSON.stringify(settings));
    if (!textIn(node) || caHashes(textIn(ca)).length === 0 || !Array.isArray(servers) || !shared) return undefined;
    const addresses = servers.map((server) => hostAndPort(textIn(server)));
    return addresses.length > 0
      ? { node: textIn(node), ca: textIn(ca), servers: addresses, settings: shared }
      : undefined;
  } catch {
    return undefined;
  }
}

export const writeMembership = (directory: DataDirectory, membership: Membership): Promise<void> =>
  writeWhole(membershipFile(directory), `${JSON.stringify(membership)}\n`, 0o600);
