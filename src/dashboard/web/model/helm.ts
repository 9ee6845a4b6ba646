// Releases of Helm, from the secrets in which it keeps them: JSON, compressed, in base64, and that again as a secret.
// https://helm.sh/docs/topics/advanced/#storage-backends

import { fieldsIn, textIn } from '../../../machinery/parsed.ts';

export interface ReleaseRevision {
  /** The secret. */
  readonly secret: string;
  readonly namespace: string;
  readonly release: string;
  readonly revision: number;
  readonly status: string;
  readonly created: string;
}

/** Of a secret's metadata; undefined: it is no release. */
export function revisionOf(metadata: unknown): ReleaseRevision | undefined {
  const { name, namespace, labels, creationTimestamp } = fieldsIn(metadata);
  const { name: release, version, status, owner, modifiedAt } = fieldsIn(labels);
  const revision = Number(textIn(version));
  if (owner !== 'helm' || textIn(release) === '' || !Number.isInteger(revision) || revision < 1) return undefined;
  const modified = Number(textIn(modifiedAt));
  return {
    ...{ secret: textIn(name), namespace: textIn(namespace), release: textIn(release), revision },
    status: textIn(status),
    created: modified > 0 ? new Date(Math.min(modified, 8e12) * 1000).toISOString() : textIn(creationTimestamp),
  };
}

export interface Release {
  readonly chart: string;
  readonly chartVersion: string;
  readonly appVersion: string;
  readonly description: string;
  readonly notes: string;
  readonly manifest: string;
  /** The values that the user gave. */
  readonly values: unknown;
  /** The values of the chart itself. */
  readonly defaults: unknown;
}

/** Of a release; a secret holds 1 MiB, which may grow a thousandfold. */
const mostBytes = 32 << 20;
const mostSecret = 4 << 20;

/** Throws for data of another form, and for data that grows too large. */
export async function decodeRelease(data: string): Promise<Release> {
  if (data.length > mostSecret) throw new Error('the release is larger than a secret can be');
  const compressed = bytesIn(new TextDecoder().decode(bytesIn(data)));
  const isGzip = compressed[0] === 0x1f && compressed[1] === 0x8b;
  const bytes = isGzip ? await inflate(compressed) : compressed;
  const { chart, info, manifest, config } = fieldsIn(JSON.parse(new TextDecoder().decode(bytes)));
  const { metadata, values } = fieldsIn(chart);
  const { name, version, appVersion } = fieldsIn(metadata);
  const { notes, description } = fieldsIn(info);
  return {
    ...{ chart: textIn(name), chartVersion: textIn(version), appVersion: textIn(appVersion) },
    ...{ description: textIn(description), notes: textIn(notes), manifest: textIn(manifest) },
    ...{ values: config ?? {}, defaults: values ?? {} },
  };
}

function bytesIn(text: string): Uint8Array<ArrayBuffer> {
  let binary: string;
  try {
    binary = atob(text.trim());
  } catch {
    throw new Error('the release is not in base64');
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

/** Stops as soon as the limit is passed: the content decides how large it grows. */
async function inflate(compressed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const reader = new Blob([compressed]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    total += value.length;
    if (total > mostBytes) {
      void reader.cancel();
      throw new Error(`the release has more than ${mostBytes >> 20} MiB`);
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
