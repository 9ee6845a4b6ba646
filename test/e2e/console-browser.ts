// A simulated cluster, and Chromium at its console, in a separate network: Chromium ends requests when an address of
// its machine changes. Every violation of the page's policy and every error is kept.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { checkout, Machine, type Result, whyNot } from './machine.ts';

const program = '/usr/bin/chromium';
/** Pictures of each run, for a look at failures. */
const pictures = path.join(checkout, '.cache', 'console');
/** Other tests share the machine. */
const patienceMs = 20_000;

export const whyNoBrowser = (): string | undefined => whyNot(program);

export class ConsoleCluster {
  readonly machine = new Machine();
  #port = '0';

  /** Returns the link that `up` prints. */
  async up(parts: readonly string[] = ['--runtime', 'simulated', '--nodes', '3']): Promise<string> {
    const words = [...parts, '--port', this.#port, '--node-ip', this.machine.address];
    const { server, kubeconfig, console: link } = JSON.parse(await this.#coracle('up', ...words));
    this.#port = new URL(server).port;
    this.machine.kubeconfig = kubeconfig;
    return link;
  }

  async down(): Promise<void> {
    await this.machine.coracle('down', ...this.#cluster());
  }

  /** A command of this cluster. */
  coracle(command: readonly string[], ...words: readonly string[]): Promise<Result> {
    return this.machine.coracle(...command, ...this.#cluster(), ...words);
  }

  async link(): Promise<string> {
    return JSON.parse(await this.#coracle('console', '--no-open')).url;
  }

  /** A browser in the network of the cluster. */
  async browser(): Promise<Browser> {
    const launcher = path.join(this.machine.directory, 'chromium');
    const network = `/run/netns/${path.basename(this.machine.directory)}`;
    writeFileSync(launcher, `#!/bin/sh\nexec nsenter --net=${network} ${program} "$@"\n`);
    chmodSync(launcher, 0o755);
    return chromium.launch({ executablePath: launcher, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  }

  async field(kind: string, name: string, jsonPath: string): Promise<string> {
    return this.machine.kubectl('get', kind, name, '-o', `jsonpath={${jsonPath}}`);
  }

  dispose(): void {
    this.machine.dispose();
  }

  #cluster = (): string[] => ['--name', 'console-test', '--data-dir', path.join(this.machine.directory, 'data')];

  async #coracle(command: string, ...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.machine.coracle(command, ...this.#cluster(), ...words, '-o', 'json');
    if (code !== 0) throw new Error(`coracle ${command}: ${stderr}`);
    return stdout;
  }
}

export class Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors of scripts, and violations of the policy. */
  readonly faults: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on('pageerror', (error) => this.faults.push(String(error)));
    page.on('dialog', (dialog) => {
      this.faults.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('console', (message) => {
      if (/Content Security Policy|TrustedScript|TrustedHTML/.test(message.text()))
        this.faults.push(`${page.url()}: ${message.text()}`);
    });
  }

  /** Opens a page of the console by its path. */
  async go(to: string): Promise<void> {
    await this.page.goto(new URL(`/console${to}`, this.page.url()).href);
  }

  /** As from the clipboard: the browser's own way to insert a text sets styles. */
  async paste(selector: string, text: string): Promise<void> {
    await this.page.evaluate(`{
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', ${JSON.stringify(text)});
      const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
      document.querySelector(${JSON.stringify(selector)}).dispatchEvent(event);
    }`);
  }

  picture(name: string): Promise<unknown> {
    mkdirSync(pictures, { recursive: true });
    return this.page.screenshot({ path: path.join(pictures, `${name}.png`) });
  }

  /** Violations of WCAG 2.2 AA, as axe finds them. */
  async barriers(): Promise<string[]> {
    const source = readFileSync(path.join(checkout, 'node_modules/axe-core/axe.min.js'), 'utf8');
    await this.page.evaluate(source);
    return this.page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const tags = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'];
      const { violations } = await axe.run({ runOnly: { type: 'tag', values: tags } });
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`);
    });
  }
}

export async function visit(browser: Browser, link: string, options: object = {}): Promise<Visitor> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    locale: 'en-US',
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(patienceMs);
  const visitor = new Visitor(context, await context.newPage());
  await goTo(visitor.page, link);
  return visitor;
}

/** Networks of other tests come and go: then Chromium ends its requests. */
async function goTo(page: Page, link: string): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await page.goto(link);
      return;
    } catch (error) {
      if (attempt === 5 || !String(error).includes('ERR_NETWORK_CHANGED')) throw error;
    }
}
