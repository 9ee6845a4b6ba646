// The plugins of a profile as the configuration has them: arguments, weights, and a set for each extension point.

import type { ProfileSettings } from '../configuration/configuration.ts';
import type { ExtensionPoint } from '../configuration/plugin-points.ts';
import type { Plugin } from '../framework.ts';
import { defaultPreemptionWith } from './default-preemption.ts';
import { dynamicResourcesWith } from './dynamic-resources.ts';
import { interPodAffinityWith } from './inter-pod-affinity.ts';
import { nodeAffinityWith } from './node-affinity.ts';
import { nodeResourcesBalancedAllocationWith, nodeResourcesFitWith } from './node-resources.ts';
import { defaultPlugins } from './plugins.ts';
import { podTopologySpreadWith } from './pod-topology-spread.ts';
import { volumeBindingWith } from './volume-binding.ts';

/** `ignoredResources` are those of extenders. */
export function configuredPlugins(
  { plugins, arguments: args }: Pick<ProfileSettings, 'plugins' | 'arguments'>,
  ignoredResources: readonly string[],
): readonly Plugin[] {
  const fit = args.NodeResourcesFit;
  const made = new Map([
    ...defaultPlugins.map((plugin) => [plugin.name, plugin] as const),
    ...[
      defaultPreemptionWith(args.DefaultPreemption),
      dynamicResourcesWith(args.DynamicResources),
      interPodAffinityWith(args.InterPodAffinity),
      nodeAffinityWith(args.NodeAffinity),
      nodeResourcesBalancedAllocationWith(args.NodeResourcesBalancedAllocation),
      nodeResourcesFitWith({ ...fit, ignoredResources: [...fit.ignoredResources, ...ignoredResources] }),
      podTopologySpreadWith(args.PodTopologySpread),
      volumeBindingWith(args.VolumeBinding),
    ].map((plugin) => [plugin.name, plugin] as const),
  ]);
  const at = (point: ExtensionPoint, part: (plugin: Plugin) => Partial<Plugin>) =>
    plugins.at[point].flatMap((name) => {
      const plugin = made.get(name);
      return plugin ? [{ name, ...(plugin.wakes && { wakes: plugin.wakes }), ...part(plugin) }] : [];
    });
  return [
    ...at('preEnqueue', ({ preEnqueue }) => (preEnqueue ? { preEnqueue } : {})),
    ...at('filter', ({ prepareFilter }) => (prepareFilter ? { prepareFilter } : {})),
    ...at('postFilter', ({ postFilter }) => (postFilter ? { postFilter } : {})),
    ...at('score', ({ name, prepareScore }) => (prepareScore ? { prepareScore, weight: plugins.weightOf(name) } : {})),
  ];
}
