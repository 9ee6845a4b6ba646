// Reads the usage of all nodes at intervals, from a client's first read until some minutes after the last one.

import { conditionOf, type Node } from '../api/api.ts';
import type { ComponentContext } from '../client/client.ts';
import type { Timer } from '../machinery/time/clock.ts';
import { UsageHistory } from './history.ts';
import { type NodeScrapes, readScraped } from './scraped.ts';

/** metrics-server's resolution. */
const periodMs = 15_000;
/** A rate needs two scrapes: the first read waits this long for the second one. */
const firstPeriodMs = 1_000;
const idleAfterMs = 300_000;
/** A kubelet that hangs must not hold up the others. */
const timeoutMs = 5_000;
const scrapesAtOnce = 50;
/** Some thousand containers: reading them takes a fraction of a second. */
const mostCharacters = 4 << 20;

/** Reads a node's kubelet; the signal ends it. */
type Scrape = (node: string, signal: AbortSignal) => Promise<string>;

type Context = Pick<ComponentContext, 'client' | 'clock' | 'logger'>;

export class Scraper {
  readonly #context: Context;
  readonly #scrape: Scrape;
  readonly history = new UsageHistory();
  #nodes: ReadonlyMap<string, NodeScrapes> = new Map();
  #askedMs = 0;
  /** Undefined while idle. */
  #warm: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(context: Context, scrape: Scrape) {
    this.#context = context;
    this.#scrape = scrape;
  }

  /** The newest scrapes by node. After a pause, resolves when there are two. */
  async scrapes(): Promise<ReadonlyMap<string, NodeScrapes>> {
    this.#askedMs = this.#context.clock.monotonic();
    await (this.#warm ??= this.#start());
    return this.#nodes;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  async #start(): Promise<void> {
    try {
      await this.#scrapeAll();
      await this.#context.clock.sleep(firstPeriodMs);
      await this.#scrapeAll();
      this.#schedule();
    } catch (error) {
      this.#warm = undefined;
      throw error;
    }
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#timer = this.#context.clock.after(periodMs, () => void this.#again(), { background: true });
  }

  async #again(): Promise<void> {
    const { clock, logger } = this.#context;
    if (clock.monotonic() - this.#askedMs > idleAfterMs) {
      this.#nodes = new Map();
      this.#warm = undefined;
      return;
    }
    await this.#scrapeAll().catch((error) => logger.warn('nodes cannot be listed', { error: String(error) }));
    this.#schedule();
  }

  async #scrapeAll(): Promise<void> {
    const nodes = (await this.#context.client.list('nodes')).items.filter(isReporting);
    const next = new Map<string, NodeScrapes>();
    const queue = nodes.values();
    const work = async () => {
      for (const { metadata } of queue) {
        const scrapes = await this.#scrapeOne(metadata.name);
        if (scrapes) next.set(metadata.name, scrapes);
      }
    };
    await Promise.all(Array.from({ length: scrapesAtOnce }, work));
    this.#nodes = next;
    this.history.add(next);
    this.history.prune(this.#context.clock.now());
  }

  async #scrapeOne(node: string): Promise<NodeScrapes | undefined> {
    const { clock, logger } = this.#context;
    const done = new AbortController();
    const late = clock.sleep(timeoutMs, done.signal).then(() => {
      throw new Error(`no answer in ${timeoutMs} ms`);
    });
    try {
      const text = await Promise.race([this.#scrape(node, done.signal), late]);
      if (text.length > mostCharacters) throw new Error(`its answer has more than ${mostCharacters} characters`);
      return { previous: this.#nodes.get(node)?.last, last: readScraped(text, clock.now()) };
    } catch (error) {
      logger.warn('usage of a node cannot be read', { node, error: String(error) });
      return undefined;
    } finally {
      done.abort();
      late.catch(() => {});
    }
  }
}

/** A node without heartbeats does not answer. */
const isReporting = (node: Node): boolean => conditionOf(node, 'Ready')?.status !== 'Unknown';
