import type { Image } from '../interface.ts';

/** Its digests depend on its name only, so that the same image has the same digest on every simulated node. */
export function simulatedImage(name: string, sizeBytes: number): Image {
  let hex = '';
  for (let seed = 0x811c9dc5, i = 0; hex.length < 64; i++) {
    for (const character of name) seed = Math.imul(seed ^ character.charCodeAt(0) ^ i, 0x01000193) >>> 0;
    hex += seed.toString(16).padStart(8, '0');
  }
  const repository = name.replace(/(@sha256)?:[^:/]*$/, '');
  const digest = name.includes('@') ? name.slice(name.indexOf('@') + 1) : `sha256:${hex}`;
  return {
    id: `sha256:${hex}`,
    repoTags: name.includes('@') ? [] : [name],
    repoDigests: [`${repository}@${digest}`],
    sizeBytes,
    // As most images have it: pods that must not run as root start.
    user: '1000',
  };
}
