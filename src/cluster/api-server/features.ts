// --feature-gates and --runtime-config: features and APIs of Kubernetes 1.36 that can be turned on and off.

import facts from '../../../facts/feature-gates.json' with { type: 'json' };
import { builtinKinds, type Kind } from '../../api/api.ts';
import { SettingError } from '../settings/settings.ts';
import { bool, type Flag, pairs } from './flag.ts';

const gates = facts.featureGates as Readonly<Record<string, { readonly stage: string; readonly default: boolean }>>;

/** Every gate is as Kubernetes 1.36 has it by default. */
export const featureGates: Flag<ReadonlyMap<string, string>> = {
  ...pairs('features that are on or off, as Name=true,...: those that Coracle has so are accepted'),
  type: 'mapStringBool',
  read(texts) {
    const given = pairs('').read(texts);
    for (const [name, value] of given) {
      const gate = Object.hasOwn(gates, name) ? gates[name] : undefined;
      if (!gate) throw new SettingError(`unrecognized feature gate: ${name}`);
      if (bool('').read([value]) === gate.default) continue;
      throw new SettingError(
        `${name} is always ${gate.default ? 'on' : 'off'} in Coracle, as it is by default in Kubernetes ${facts.kubernetes}: remove it`,
      );
    }
    return given;
  },
};

/** Groups that the server itself reads and writes. */
const used = [
  '',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'discovery.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'networking.k8s.io',
  'node.k8s.io',
  'rbac.authorization.k8s.io',
  'resource.k8s.io',
  'scheduling.k8s.io',
  'storage.k8s.io',
];

/** Keys for many APIs at once; the first two turn on nothing that is missing. */
const general = ['api/all', 'api/legacy', 'api/ga', 'api/beta', 'api/alpha'];

export const runtimeConfig: Flag<ReadonlyMap<string, string>> = {
  ...pairs('APIs that are served or not, as group/version[/resource]=true,...'),
  read(texts) {
    const given = pairs('').read(texts);
    for (const [key, value] of given) checkApi(key, bool('').read([value]));
    return given;
  },
};

function checkApi(key: string, isOn: boolean): void {
  if (general.includes(key)) {
    // As many APIs as there are, are on.
    if (isOn && key !== 'api/alpha' && key !== 'api/beta') return;
    if (!isOn && (key === 'api/alpha' || key === 'api/beta')) return;
    throw new SettingError(
      isOn
        ? `${key}: Coracle serves what Kubernetes ${facts.kubernetes} serves by default, and no other versions: remove it`
        : `${key}=false leaves no API that a cluster needs: name the versions that are not to be served`,
    );
  }
  if (kindsOf(builtinKinds(), key).length > 0) {
    if (isOn || !used.includes(apiOf(key).group)) return;
    throw new SettingError(`${key}=false: Coracle's own parts use it: remove it`);
  }
  if (isOn) throw new SettingError(`${key} is not served: remove it, or use the version that is`);
}

/** The parts of version, group/version or group/version/resource. The core group has no name, or the old one `api`. */
function apiOf(key: string): { group: string; version: string; resource?: string } {
  const [first, second, third] = key.replace(/^api\/v1/, 'v1').split('/');
  const isCore = second === undefined || (first === 'v1' && third === undefined);
  const [group, version, resource] = isCore ? ['', first, second] : [first, second, third];
  return { group, version, ...(resource && { resource }) };
}

function kindsOf(kinds: readonly Kind[], key: string): readonly Kind[] {
  const { group, version, resource } = apiOf(key);
  return kinds.filter(
    (kind) => kind.group === group && kind.version === version && (!resource || kind.resource === resource),
  );
}

/** The kinds that are served: events are kept for `eventSeconds`. */
export function servedKinds(config: ReadonlyMap<string, string>, eventSeconds: number): readonly Kind[] {
  const all = builtinKinds();
  const off = new Set<Kind>();
  // A resource is more specific than its version.
  const byLength = [...config].sort(([a], [b]) => a.split('/').length - b.split('/').length);
  for (const [key, value] of byLength)
    for (const kind of kindsOf(all, key))
      if (bool('').read([value])) off.delete(kind);
      else off.add(kind);
  return all
    .filter((kind) => !off.has(kind))
    .map((kind) => (kind.keptSeconds === undefined ? kind : { ...kind, keptSeconds: eventSeconds }));
}
