// The files of the page, which the build makes and compresses. They are read when they are first requested.

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { listIn, textIn } from '../machinery/parsed.ts';

interface Asset {
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly encoding?: string;
}

/** The build's list of files. */
interface Manifest {
  /** Names of the files; each contains a hash of its content. */
  readonly files: readonly string[];
  readonly script: string;
  /** Chunks that the script imports at once. */
  readonly preload: readonly string[];
  readonly style: string;
  readonly worker: string;
  readonly icon: string;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
};

/** Best first, with the suffix of the file. */
const encodings = [
  { name: 'br', suffix: '.br' },
  { name: 'gzip', suffix: '.gz' },
] as const;

export class Assets {
  readonly #directory: string;
  readonly #read = new Map<string, Promise<Asset>>();
  #manifest: Promise<Manifest> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  manifest(): Promise<Manifest> {
    this.#manifest ??= this.#readManifest().catch((error) => {
      this.#manifest = undefined;
      throw error;
    });
    return this.#manifest;
  }

  /** Undefined: there is no such file. */
  async get(name: string, acceptEncoding: string): Promise<Asset | undefined> {
    const { files } = await this.manifest();
    if (!files.includes(name)) return undefined;
    const accepted = acceptEncoding.split(',').map((text) => text.split(';')[0].trim());
    const encoding = encodings.find((one) => accepted.includes(one.name));
    const file = `${name}${encoding?.suffix ?? ''}`;
    let asset = this.#read.get(file);
    if (!asset) {
      asset = this.#readAsset(name, file, encoding?.name);
      this.#read.set(file, asset);
      asset.catch(() => this.#read.delete(file));
    }
    return asset;
  }

  async #readAsset(name: string, file: string, encoding: string | undefined): Promise<Asset> {
    const body = await readFile(path.join(this.#directory, file));
    const contentType = types[path.extname(name)] ?? 'application/octet-stream';
    return { body, contentType, ...(encoding && { encoding }) };
  }

  async #readManifest(): Promise<Manifest> {
    const parsed = JSON.parse(await readFile(path.join(this.#directory, 'manifest.json'), 'utf8'));
    const { script, style, worker, icon } = parsed;
    return {
      files: listIn(parsed.files).map(textIn),
      preload: listIn(parsed.preload).map(textIn),
      ...{ script: textIn(script), style: textIn(style), worker: textIn(worker), icon: textIn(icon) },
    };
  }
}
