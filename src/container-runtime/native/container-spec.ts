// What a container's first process is: from the pod's wishes and the image's config.

import { join } from 'node:path';
import type { ContainerConfig, SandboxConfig } from '../container-runtime.ts';
import type { ImageRecord } from '../images/image-store.ts';
import { RuntimeError } from '../runtime-error.ts';
import { environmentOf } from './launch.ts';
import type { RootfsView } from './rootfs-view.ts';
import { hostnameOf, sandboxFiles } from './sandboxes.ts';
import type { ProcessSpec } from './state.ts';
import { capabilitiesOf, resolveUser } from './user.ts';

export const searchPathOf = ({ env }: ProcessSpec) => env.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? '';

export function commandOf(config: ContainerConfig, image: ImageRecord): readonly string[] {
  const { Entrypoint, Cmd } = image.config;
  // A command of the pod's takes the place of both of the image's; arguments alone that of its Cmd.
  const command =
    config.command.length > 0
      ? [...config.command, ...config.args]
      : [...(Entrypoint ?? []), ...(config.args.length > 0 ? config.args : (Cmd ?? []))];
  if (command.length === 0) throw new RuntimeError('create', 'failed to generate container spec: no command specified');
  return command;
}

export function processSpec(
  config: ContainerConfig,
  sandbox: SandboxConfig,
  image: ImageRecord,
  view: RootfsView,
  mayMakeDevices: boolean,
): ProcessSpec {
  const user = resolveUser(view, image.config.User ?? '', config.security);
  return {
    uid: user.uid,
    gid: user.gid,
    groups: user.groups,
    env: environmentOf(image.config.Env ?? [], config, user.home, hostnameOf(sandbox)),
    cwd: config.workingDir || image.config.WorkingDir || '/',
    capabilities: capabilitiesOf(config.security, mayMakeDevices),
    noNewPrivileges: config.security.noNewPrivileges,
  };
}

export function withSandboxFiles(config: ContainerConfig, sandboxDirectory: string): ContainerConfig {
  const given = new Set(config.mounts.map((mount) => mount.containerPath));
  const added = sandboxFiles
    .map((name) => ({ hostPath: join(sandboxDirectory, name), containerPath: `/etc/${name}`, readOnly: false }))
    .filter((mount) => !given.has(mount.containerPath));
  return { ...config, mounts: [...config.mounts, ...added] };
}
