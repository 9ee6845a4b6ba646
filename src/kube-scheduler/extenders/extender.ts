// One extender: requests by HTTP, answers that are checked before use. Each answer is limited in time and in size.
// https://github.com/kubernetes/design-proposals-archive/blob/main/scheduling/scheduler_extender.md

import type { Pod } from '../../api/api.ts';
import { callRemote, type RemoteServer } from '../../client/client.ts';
import type { ExtenderConfig } from '../configuration/extenders.ts';
import type { Candidate } from '../framework.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PodInfo } from '../pod-info.ts';
import {
  ExtenderError,
  fieldsOf,
  integerOf,
  listOf,
  nameOfNode,
  namesOf,
  objectOf,
  reasonsOf,
  textOf,
} from './answers.ts';

interface ExtenderFilterAnswer {
  readonly names: readonly string[];
  readonly failed: ReadonlyMap<string, string>;
  readonly unresolvable: ReadonlyMap<string, string>;
}

/** Beyond twice the size of the request. */
const mostExtraBytes = 1 << 20;
const scoreScale = 10;

export class Extender {
  readonly #config: ExtenderConfig;
  readonly #server: Omit<RemoteServer, 'url'>;
  readonly #managed: ReadonlySet<string>;

  constructor(config: ExtenderConfig, server: Omit<RemoteServer, 'url'>) {
    this.#config = config;
    this.#server = server;
    this.#managed = new Set(config.managedResources);
  }

  get name(): string {
    return this.#config.urlPrefix;
  }

  get ignorable(): boolean {
    return this.#config.ignorable;
  }

  can(verb: 'filter' | 'prioritize' | 'preempt' | 'bind'): boolean {
    return this.#config[`${verb}Verb`] !== '';
  }

  /** Whether one of the pod's containers requests a resource that the extender manages. */
  isInterested({ spec: { containers, initContainers = [] } }: Pod): boolean {
    if (this.#managed.size === 0) return true;
    return [...containers, ...initContainers].some(({ resources: { requests = {}, limits = {} } = {} }) =>
      [...Object.keys(requests), ...Object.keys(limits)].some((name) => this.#managed.has(name)),
    );
  }

  /** Rejects with ExtenderError, as all that follow. */
  async filter(pod: Pod, nodes: readonly NodeInfo[]): Promise<ExtenderFilterAnswer> {
    const answer = fieldsOf(await this.#send(this.#config.filterVerb, this.#nodesFor(pod, nodes)));
    const fault = textOf(answer('Error'));
    if (fault) throw new ExtenderError(fault);
    const inCache = this.#config.nodeCacheCapable ? answer('NodeNames') : undefined;
    const names = namesOf(inCache ?? listOf(fieldsOf(answer('Nodes') ?? {})('items') ?? []).map(nameOfNode));
    const sent = new Set(nodes.map(({ name }) => name));
    const unknown = names.find((name) => !sent.has(name));
    if (unknown !== undefined)
      throw new ExtenderError(
        `extender "${this.name}" claims a filtered node "${unknown}" which is not found in the input node list`,
      );
    return {
      names,
      failed: reasonsOf(answer('FailedNodes') ?? {}),
      unresolvable: reasonsOf(answer('FailedAndUnresolvableNodes') ?? {}),
    };
  }

  /** Scores by node, on the scale of the scheduler. */
  async prioritize(pod: Pod, nodes: readonly NodeInfo[]): Promise<ReadonlyMap<string, number>> {
    const answer = await this.#send(this.#config.prioritizeVerb, this.#nodesFor(pod, nodes));
    const scores = new Map<string, number>();
    for (const each of listOf(answer ?? [])) {
      const field = fieldsOf(each);
      const host = textOf(field('Host'));
      scores.set(host, (scores.get(host) ?? 0) + integerOf(field('Score')) * this.#config.weight * scoreScale);
    }
    return scores;
  }

  /** Of the candidates, those that are left, with victims that may be others. */
  async preempt(pod: Pod, candidates: readonly Candidate[], on: (node: string) => NodeInfo | undefined) {
    const answer = fieldsOf(await this.#send(this.#config.preemptVerb, this.#victimsFor(pod, candidates)));
    const left: Candidate[] = [];
    for (const [node, value] of Object.entries(objectOf(answer('NodeNameToMetaVictims') ?? {}))) {
      const info = on(node);
      if (!info) throw new ExtenderError(`nodeinfo not found for node name "${node}"`);
      const field = fieldsOf(value ?? {});
      const victims = listOf(field('Pods') ?? []).map((pod) => this.#victim(textOf(fieldsOf(pod)('UID')), info));
      if (victims.length > 0) left.push({ node, victims, violations: integerOf(field('NumPDBViolations')) });
      else if (!this.ignorable) throw new ExtenderError(`expected at least one victim pod on node "${node}"`);
    }
    return left;
  }

  #victim(uid: string, node: NodeInfo): PodInfo {
    const found = node.pods.get(uid);
    if (found) return found;
    throw new ExtenderError(
      `extender: ${this.name} claims to preempt pod (UID: &{${uid}}) on node: ${node.name}, but the pod is not found on that node`,
    );
  }

  async bind({ metadata: { name, namespace, uid } }: Pod, node: string): Promise<void> {
    const request = { PodName: name, PodNamespace: namespace, PodUID: uid, Node: node };
    const fault = textOf(fieldsOf(await this.#send(this.#config.bindVerb, request))('Error'));
    if (fault) throw new ExtenderError(fault);
  }

  #nodesFor(pod: Pod, nodes: readonly NodeInfo[]): object {
    return this.#config.nodeCacheCapable
      ? { Pod: pod, Nodes: null, NodeNames: nodes.map(({ name }) => name) }
      : { Pod: pod, Nodes: { metadata: {}, items: nodes.map(({ node }) => node) }, NodeNames: null };
  }

  #victimsFor(pod: Pod, candidates: readonly Candidate[]): object {
    const byNode = (show: (victim: PodInfo) => object) =>
      Object.fromEntries(
        candidates.map(({ node, victims, violations }) => [
          node,
          { Pods: victims.map(show), NumPDBViolations: violations },
        ]),
      );
    return this.#config.nodeCacheCapable
      ? {
          Pod: pod,
          NodeNameToVictims: null,
          NodeNameToMetaVictims: byNode((victim) => ({ UID: victim.pod.metadata.uid })),
        }
      : { Pod: pod, NodeNameToVictims: byNode((victim) => victim.pod), NodeNameToMetaVictims: null };
  }

  async #send(verb: string, request: object): Promise<unknown> {
    const { urlPrefix, timeoutMs } = this.#config;
    const url = `${urlPrefix.replace(/\/+$/, '')}/${verb}`;
    const body = JSON.stringify(request);
    const mostBytes = 2 * body.length + mostExtraBytes;
    const call = { body, timeoutMs, mostBytes };
    const { code, text } = await callRemote({ ...this.#server, url }, call).catch((error: Error) => {
      throw new ExtenderError(`Post "${url}": ${error.message}`);
    });
    if (code !== 200) throw new ExtenderError(`failed ${verb} with extender at URL ${url}, code ${code}`);
    try {
      return JSON.parse(text);
    } catch {
      throw new ExtenderError(`the answer of extender at URL ${url} is no JSON`);
    }
  }
}
