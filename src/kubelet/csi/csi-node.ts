// The facts of CSI drivers about the node, in the API: CSINode, and an annotation and labels of the Node.
// https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-node-v1/

import { type CSINode, type Draft, ignoreNotFound, isConflict, isNotFound, type Node } from '../../api/api.ts';
import type { Client } from '../../client/client.ts';
import type { Logger } from '../../machinery/logger.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { NodeInfoAnswer } from './csi-proto.ts';
import type { NodeObjects } from './drivers.ts';

const nodeIdAnnotation = 'csi.volume.kubernetes.io/nodeid';
const largestCount = 2 ** 31 - 1;
/** Waits between attempts of one write. */
const retryDelaysMs = [10, 50, 250];
/** Waits between attempts to write CSINode at the start. */
const firstRetryMs = 1_000;
const longestRetryMs = 30_000;

interface CsiNodeTools {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  /** CSINode is there now. */
  ready?(): void;
}

export class CsiNodeKeeper implements NodeObjects {
  readonly #tools: CsiNodeTools;
  /** Why CSINode is missing: the scheduler counts the volumes of drivers by it. */
  problem: string | undefined = 'CSINode is not yet initialized';
  /** Writes one after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(tools: CsiNodeTools) {
    this.#tools = tools;
  }

  /** Makes the node's CSINode; tries until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#tools;
    for (let waitMs = firstRetryMs; !signal.aborted; waitMs = Math.min(waitMs * 2, longestRetryMs))
      try {
        await this.#inTurn(() => this.#own());
        this.problem = undefined;
        this.#tools.ready?.();
        return;
      } catch (error) {
        this.problem = `failed to initialize CSINode: ${(error as Error).message}`;
        logger.warn('cannot write CSINode', { error: String(error) });
        await clock.sleep(waitMs, signal).catch(() => {});
      }
  }

  async install(driver: string, info: NodeInfoAnswer): Promise<void> {
    if (!info.nodeId) throw new Error('error adding CSI driver node info: driverNodeID must not be empty');
    const topology = info.accessibleTopology?.segments ?? {};
    await this.#inTurn(async () => {
      await this.#changeNode((node) => withDriver(node, driver, info.nodeId, topology)).catch((error) => {
        throw new Error(`error updating Node object with CSI driver node info: ${error.message}`);
      });
      await this.#changeDrivers((drivers) => installed(drivers, driver, info, Object.keys(topology).sort())).catch(
        (error) => {
          throw new Error(`error updating CSINode object with CSI driver node info: ${error.message}`);
        },
      );
    });
  }

  async uninstall(driver: string): Promise<void> {
    await this.#inTurn(async () => {
      await this.#changeDrivers((drivers) => drivers.filter(({ name }) => name !== driver)).catch((error) => {
        throw new Error(`error uninstalling CSI driver from CSINode object ${error.message}`);
      });
      await this.#changeNode((node) => withoutDriver(node, driver)).catch((error) => {
        throw new Error(`error removing CSI driver node info from Node object ${error.message}`);
      });
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.catch(() => {}).then(work);
    this.#last = result;
    return result;
  }

  /** The node's CSINode. That of an earlier node with this name is replaced. */
  async #own(): Promise<CSINode> {
    const { client, nodeName: name } = this.#tools;
    const { uid } = (await client.get('nodes', { name })).metadata;
    const existing = await client.get('csinodes', { name }).catch(ignoreNotFound);
    const isOwn = existing?.metadata.ownerReferences?.some(
      (owner) => owner.kind === 'Node' && owner.name === name && owner.uid === uid,
    );
    if (existing && isOwn) return existing;
    if (existing) await client.delete('csinodes', { name }).catch(ignoreNotFound);
    const draft: Draft<CSINode> = {
      metadata: { name, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
      spec: { drivers: [] },
    };
    return client.create('csinodes', draft);
  }

  async #changeDrivers(change: (drivers: readonly CsiNodeDriver[]) => readonly CsiNodeDriver[]): Promise<void> {
    await this.#retried(async () => {
      const { client } = this.#tools;
      const csiNode = await this.#own();
      const before = csiNode.spec.drivers ?? [];
      const drivers = change(before);
      if (drivers === before || (drivers.length === 0 && before.length === 0)) return;
      await client.update('csinodes', { ...csiNode, spec: { ...csiNode.spec, drivers: [...drivers] } });
    });
  }

  async #changeNode(change: (node: Node) => NodeMark | undefined): Promise<void> {
    await this.#retried(async () => {
      const { client, nodeName: name } = this.#tools;
      const mark = change(await client.get('nodes', { name }));
      if (mark) await client.patch('nodes', { name }, { type: 'merge', body: { metadata: mark } });
    });
  }

  async #retried(write: () => Promise<void>): Promise<void> {
    for (const delayMs of retryDelaysMs)
      try {
        return await write();
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error;
        await this.#tools.clock.sleep(delayMs);
      }
    return write();
  }
}

type CsiNodeDriver = NonNullable<CSINode['spec']['drivers']>[number];

/** The drivers with this one's facts; the same list when nothing changes. */
export function installed(
  drivers: readonly CsiNodeDriver[],
  name: string,
  { nodeId: nodeID, maxVolumesPerNode }: NodeInfoAnswer,
  topologyKeys: string[],
): readonly CsiNodeDriver[] {
  const count = maxVolumesPerNode > 0 ? Math.min(maxVolumesPerNode, largestCount) : undefined;
  const found = drivers.find((each) => each.name === name);
  const isSame =
    found?.nodeID === nodeID &&
    [...(found.topologyKeys ?? [])].sort().join('\0') === topologyKeys.join('\0') &&
    found.allocatable?.count === count;
  if (isSame) return drivers;
  const driver: CsiNodeDriver = { name, nodeID, topologyKeys, ...(count !== undefined && { allocatable: { count } }) };
  return [...drivers.filter((each) => each !== found), driver];
}

interface NodeMark {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string | null>>;
}

function nodeIdsOf({ metadata }: Node): Record<string, string> {
  const text = metadata.annotations?.[nodeIdAnnotation];
  if (!text) return {};
  try {
    return { ...(JSON.parse(text) as Record<string, string>) };
  } catch (error) {
    throw new Error(
      `failed to parse node's "${nodeIdAnnotation}" annotation value (${JSON.stringify(text)}) err=${(error as Error).message}`,
    );
  }
}

const sorted = (ids: Readonly<Record<string, string>>) => JSON.stringify(ids, Object.keys(ids).sort());

/** The change of the node; undefined: it has all. Throws an Error if a label says something else. */
export function withDriver(
  node: Node,
  driver: string,
  nodeId: string,
  topology: Readonly<Record<string, string>>,
): NodeMark | undefined {
  const ids = nodeIdsOf(node);
  const current = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(topology))
    if (current[key] !== undefined && current[key] !== value)
      throw new Error(
        `detected topology value collision: driver reported "${key}":"${value}" but existing label is "${key}":"${current[key]}"`,
      );
  const isCurrent = ids[driver] === nodeId && Object.keys(topology).every((key) => current[key] !== undefined);
  if (isCurrent) return undefined;
  return { labels: topology, annotations: { [nodeIdAnnotation]: sorted({ ...ids, [driver]: nodeId }) } };
}

export function withoutDriver(node: Node, driver: string): NodeMark | undefined {
  const { [driver]: id, ...others } = nodeIdsOf(node);
  if (id === undefined) return undefined;
  const isEmpty = Object.keys(others).length === 0;
  return { annotations: { [nodeIdAnnotation]: isEmpty ? null : sorted(others) } };
}
