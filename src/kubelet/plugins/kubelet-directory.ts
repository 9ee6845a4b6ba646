// Programs that work with the kubelet name its directory /var/lib/kubelet: their charts mount it into their containers,
// and paths that they send and get begin with it. On a node of Coracle it is elsewhere, so that a machine can have
// several nodes. A pod's hostPath below the standard directory leads to the node's directory, and a plugin that names
// its socket by the standard path gets standard paths.

import path from 'node:path';

const standardDirectory = '/var/lib/kubelet';

const isBelow = (directory: string, file: string): boolean => file === directory || file.startsWith(`${directory}/`);

const moved = (file: string, from: string, to: string): string => {
  const normal = path.normalize(file);
  const bare = normal.length > 1 ? normal.replace(/\/$/, '') : normal;
  return isBelow(from, bare) ? path.join(to, path.relative(from, bare)) : file;
};

/** The path on this node of a path as a pod or a plugin names it. */
export const onNode = (rootDirectory: string, file: string): string => moved(file, standardDirectory, rootDirectory);

/** The path as the plugin knows it that named its endpoint so. */
export const forPlugin = (rootDirectory: string, endpoint: string, file: string): string =>
  isBelow(standardDirectory, path.normalize(endpoint)) ? moved(file, rootDirectory, standardDirectory) : file;
