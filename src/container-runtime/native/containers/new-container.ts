// A new container: its record, and its bundle for the OCI runtime.

import * as fs from 'node:fs';
import { join } from 'node:path';
import type { ImageRecord } from '../../images/image-store.ts';
import type { ContainerConfig, SandboxConfig } from '../../interface.ts';
import { bootId } from '../../processes/process.ts';
import { silentPath } from '../../processes/silent-mounts.ts';
import { RuntimeError } from '../../runtime-error.ts';
import { hostDevices, readDevice } from '../oci/host-devices.ts';
import { accountsOf } from '../oci/image-files.ts';
import type { OciSpec } from '../oci/oci-types.ts';
import { runtimeSpec } from '../oci/runtime-spec.ts';
import { hostnameOf } from '../sandboxes/sandboxes.ts';
import type { ContainerRecord } from '../state.ts';
import { writeBundle } from './bundle.ts';
import type { ContainerParts } from './container-parts.ts';

export function newRecord(
  own: Pick<ContainerRecord, 'id' | 'sandboxId' | 'config'>,
  sandbox: SandboxConfig,
  image: ImageRecord,
  { clock, runtime }: Pick<ContainerParts, 'clock' | 'runtime'>,
): ContainerRecord {
  return {
    ...own,
    logPath: join(sandbox.logDirectory, own.config.logPath),
    imageId: image.id,
    imageRef: image.repoDigests[0] ?? image.id,
    stopSignal: image.config.StopSignal ?? 'SIGTERM',
    cgroup: join(sandbox.cgroupParent, own.id),
    createdAt: clock.now(),
    ...{ startedAt: 0, finishedAt: 0, exitCode: 0, reason: '', message: '', state: 'created' },
    bootId: bootId(),
    runtime: runtime.name,
  };
}

interface NewContainer {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxConfig;
  readonly image: ImageRecord;
  /** The namespace of the target container. */
  readonly pidNamespace?: string;
}

type BundleParts = Pick<ContainerParts, 'state' | 'images' | 'runtime' | 'node' | 'cdiDirectories'>;

/** Throws RuntimeError('create') if the machine lacks a feature. */
export async function createBundle(
  { record, sandbox, image, pidNamespace }: NewContainer,
  { state, images, runtime, node, cdiDirectories }: BundleParts,
): Promise<void> {
  const { id, sandboxId, config, cgroup } = record;
  await mustExist(config);
  const tree = images.rootfs(image);
  const namespaces = state.sandbox(sandboxId);
  const seccompText = seccompFile(config);
  const ownSpec = runtimeSpec({
    ...{ config, sandbox, image: image.config, accounts: accountsOf(tree), node, namespaces },
    shm: sandbox.hostIpc ? '/dev/shm' : join(namespaces, 'shm'),
    hostname: hostnameOf(sandbox),
    cgroupsPath: cgroup,
    devices: hostDevices(config.devices ?? []),
    ...(seccompText !== undefined && { seccompText }),
    ...(pidNamespace && { targetPidNamespace: pidNamespace }),
  });
  const spec = await withCdiDevices(ownSpec, config, cdiDirectories);
  const { stdin, stdinOnce } = config;
  const paths = { directory: state.container(id), exitFile: state.exit(id), runtimeRoot: state.runtimeRoot };
  const shared = sandbox.hostPid || sandbox.sharePid === true || pidNamespace !== undefined;
  writeBundle({ id, spec, runtime, tree, stdin, stdinOnce, shared, ...paths });
}

/** In containerd's words. */
async function mustExist({ mounts }: ContainerConfig): Promise<void> {
  const silent = await silentPath(mounts.map(({ hostPath }) => hostPath));
  if (silent !== undefined) {
    const why = `failed to stat ${JSON.stringify(silent)}: its file system does not answer`;
    throw new RuntimeError('create', `failed to generate container spec: ${why}`);
  }
  const missing = mounts.find(({ hostPath }) => !fs.existsSync(hostPath));
  if (!missing) return;
  const why = `failed to stat "${missing.hostPath}": no such file or directory`;
  throw new RuntimeError('create', `failed to generate container spec: ${why}`);
}

/** The container with the CDI devices that it names. The error is in containerd's words. */
async function withCdiDevices(
  spec: OciSpec,
  { cdiDevices = [] }: ContainerConfig,
  directories: readonly string[],
): Promise<OciSpec> {
  if (cdiDevices.length === 0) return spec;
  // Most nodes have no such devices: the files' parser is loaded with the first one.
  const [{ cdiEdits }, { applyEdits }] = await Promise.all([
    import('../cdi/cdi-devices.ts'),
    import('../cdi/apply-edits.ts'),
  ]);
  try {
    return applyEdits(spec, cdiEdits(cdiDevices, directories), readDevice);
  } catch (error) {
    const why = `CDI device injection failed: ${(error as Error).message}`;
    throw new RuntimeError('create', `failed to generate container spec: ${why}`);
  }
}

/** Text of the profile that a container names. */
function seccompFile({ security: { seccomp, privileged } }: ContainerConfig): string | undefined {
  if (seccomp?.type !== 'Localhost' || privileged) return undefined;
  try {
    return fs.readFileSync(seccomp.localhostRef ?? '', 'utf8');
  } catch (error) {
    const path = JSON.stringify(seccomp.localhostRef);
    throw new RuntimeError('create', `failed to load seccomp profile ${path}: ${(error as Error).message}`);
  }
}
