// Image references as Docker and containerd read them: `nginx` is docker.io/library/nginx:latest.

import { RuntimeError } from '../runtime-error.ts';

export interface ImageReference {
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  /** Such as sha256:... */
  readonly digest?: string;
  /** registry/repository */
  readonly name: string;
  /** registry/repository:tag, or registry/repository@digest when a digest was given. */
  readonly canonical: string;
}

const grammar =
  /^([a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::([\w][\w.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$/;

/** Throws RuntimeError('image') when `reference` is not one. */
export function normalizeReference(reference: string): ImageReference {
  const slash = reference.indexOf('/');
  const first = slash > 0 ? reference.slice(0, slash) : '';
  const hasRegistry = first !== '' && (/[.:]/.test(first) || first === 'localhost');
  const match = grammar.exec(hasRegistry ? reference.slice(slash + 1) : reference);
  if (!match || (hasRegistry && !/^[a-zA-Z0-9][\w.-]*(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$/.test(first)))
    throw new RuntimeError('image', `couldn't parse image name ${JSON.stringify(reference)}: invalid reference format`);
  const registry = hasRegistry && first !== 'index.docker.io' ? first : 'docker.io';
  const path = match[1];
  const repository = registry === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  const digest = match[3];
  const tag = match[2] ?? (digest ? undefined : 'latest');
  const name = `${registry}/${repository}`;
  return { registry, repository, tag, digest, name, canonical: digest ? `${name}@${digest}` : `${name}:${tag}` };
}
