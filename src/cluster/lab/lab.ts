// The lab of a simulated cluster: its time goes faster, slower or not at all, and its nodes fail on command.

import { Link } from '../../client/client.ts';
import type { LabControl, LabNode } from '../../dashboard/dashboard.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import { PacedClock } from '../../machinery/time/paced-clock.ts';

interface StoppableNode {
  start(): Promise<void>;
  stop(): Promise<void>;
}

export class Lab implements LabControl {
  readonly clock: PacedClock;
  readonly realClock: Clock;
  readonly #links = new Map<string, Link>();
  readonly #full = new Set<string>();
  readonly #stopped = new Set<string>();
  /** The last change of each node. */
  readonly #changes = new Map<string, Promise<void>>();
  #nodes: ReadonlyMap<string, StoppableNode> = new Map();

  constructor(realClock: Clock) {
    this.realClock = realClock;
    this.clock = new PacedClock(realClock);
  }

  useNodes(nodes: ReadonlyMap<string, StoppableNode>): void {
    this.#nodes = nodes;
  }

  /** The connection of a node to the API server. */
  linkOf(node: string): Link {
    const existing = this.#links.get(node) ?? new Link();
    this.#links.set(node, existing);
    return existing;
  }

  isFull(node: string): boolean {
    return this.#full.has(node);
  }

  setPace(pace: number): void {
    this.clock.setPace(pace);
  }

  status() {
    const nodes = [...this.#nodes.keys()].map((name) => ({
      ...{ name, isStopped: this.#stopped.has(name), isCut: this.linkOf(name).isCut, isFull: this.#full.has(name) },
    }));
    return { pace: this.clock.pace, nowMs: this.clock.now(), nodes };
  }

  /** False: there is no such node. */
  async setNode(name: string, { isStopped, isCut, isFull }: Partial<Omit<LabNode, 'name'>>): Promise<boolean> {
    const node = this.#nodes.get(name);
    if (!node) return false;
    const link = this.linkOf(name);
    if (isCut !== undefined) isCut ? link.cut() : link.join();
    if (isFull !== undefined) isFull ? this.#full.add(name) : this.#full.delete(name);
    if (isStopped !== undefined) await this.#setRunning(name, node, !isStopped);
    return true;
  }

  /** One change of a node at a time: a second start would run a second kubelet. */
  #setRunning(name: string, node: StoppableNode, runs: boolean): Promise<void> {
    const change = async () => {
      if (this.#stopped.has(name) !== runs) return;
      if (runs) await node.start();
      else await node.stop();
      if (runs) this.#stopped.delete(name);
      else this.#stopped.add(name);
    };
    const changed = (this.#changes.get(name) ?? Promise.resolve()).catch(() => {}).then(change);
    this.#changes.set(name, changed);
    return changed;
  }
}
