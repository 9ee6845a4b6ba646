import { maxScore, type Plugin } from '../framework.ts';

const megabyte = 1024 * 1024;
/** Smaller images are quick to pull; above the upper bound per container, size adds no score. */
const minBytes = 23 * megabyte;
const maxBytesEachContainer = 1000 * megabyte;

/** Prefers nodes that have the pod's images already, the more the larger they are and the more nodes have them. */
export const imageLocality: Plugin = {
  name: 'ImageLocality',
  prepareScore({ pod }, nodes, snapshot) {
    const images = [
      ...[...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(({ image }) => image),
      ...(pod.spec.volumes ?? []).flatMap(({ image }) => (image ? [image.reference] : [])),
    ];
    const names = images.map((image) => normalized(image ?? ''));
    if (!names.some((name) => snapshot.nodesWithImage(name) > 0)) return 'skip';
    if (!nodes.some((node) => names.some((name) => node.images.has(name)))) return 'skip';
    const all = snapshot.nodes.length;
    const spread = new Map(names.map((name) => [name, snapshot.nodesWithImage(name) / all]));
    const max = maxBytesEachContainer * names.length;
    return {
      score({ images }) {
        const sum = names.reduce(
          (total, name) => total + Math.floor((images.get(name) ?? 0) * (spread.get(name) ?? 0)),
          0,
        );
        return Math.floor((maxScore * (Math.min(Math.max(sum, minBytes), max) - minBytes)) / (max - minBytes));
      },
    };
  },
};

/** Names without a tag mean latest. */
const normalized = (name: string) =>
  name.lastIndexOf(':') <= name.lastIndexOf('/') && !name.includes('@') ? `${name}:latest` : name;
