// Cells that the tables of several kinds share.

import { labelSelector } from '../../machinery/selectors/label-selector.ts';
import type { LabelSelector, PodSpec, PodTemplateSpec } from '../generated/types.ts';
import type { KubeObject } from '../kind.ts';
import { age } from '../objects/age.ts';

export { age };

export const none = '<none>';
export const unset = '<unset>';

export const listOr = (items: readonly string[] | undefined, otherwise = none): string =>
  items?.length ? items.join(',') : otherwise;

/** `a=b,c=d`, `<none>` when there are none. */
export const labelsText = (labels: Readonly<Record<string, string>> | undefined): string =>
  listOr(
    Object.entries(labels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .sort(),
  );

export const selectorText = (selector: LabelSelector | undefined): string => {
  if (!selector) return none;
  const text = labelSelector(selector).toString();
  return text === '' ? none : text;
};

export const containerNames = (spec: PodSpec | undefined): string =>
  (spec?.containers ?? []).map(({ name }) => name).join(',');
export const containerImages = (spec: PodSpec | undefined): string =>
  (spec?.containers ?? []).map(({ image }) => image).join(',');

interface Templated extends KubeObject {
  readonly spec?: { readonly template?: PodTemplateSpec; readonly selector?: object };
}

/** The wide columns of all kinds with a pod template. */
export const templateCells = {
  Containers: ({ spec }: Templated) => containerNames(spec?.template?.spec),
  Images: ({ spec }: Templated) => containerImages(spec?.template?.spec),
  Selector: ({ spec }: Templated) => selectorText(spec?.selector),
};

const modes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
export const accessModesText = (list: readonly string[] | undefined): string =>
  ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod']
    .filter((mode) => list?.includes(mode))
    .map((mode) => modes[mode])
    .join(',');
