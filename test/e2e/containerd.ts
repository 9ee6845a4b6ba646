// Real containerd with a separate root, state, socket and CNI configuration, inside a test's network.

import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventually, type Machine } from './machine.ts';

export const containerdPrograms = ['/usr/bin/containerd', '/usr/bin/ctr', '/usr/sbin/runc', '/usr/lib/cni/bridge'];

/** Resolves with the socket when it serves. */
export async function startContainerd(machine: Machine): Promise<string> {
  const directory = path.join(machine.directory, 'containerd');
  mkdirSync(path.join(directory, 'net.d'), { recursive: true });
  const socket = path.join(directory, 'c.sock');
  writeFileSync(path.join(directory, 'config.toml'), config(directory, socket));
  writeFileSync(path.join(directory, 'network.template'), network(directory));
  const log = openSync(path.join(directory, 'log'), 'a');
  machine.spawn('containerd', ['-c', path.join(directory, 'config.toml'), '-l', 'warn'], {
    stdio: ['ignore', log, log],
  });
  await eventually(() => {
    if (!existsSync(socket)) throw new Error(`containerd does not serve: see ${directory}/log`);
  });
  return socket;
}

/** `sandbox_image` is Coracle's built-in image: there is no registry here. */
const config = (directory: string, socket: string) => `version = 2
root = "${directory}/root"
state = "${directory}/state"
[grpc]
  address = "${socket}"
[ttrpc]
  address = "${socket}.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "coracle.local/pause:1"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${directory}/net.d"
    conf_template = "${directory}/network.template"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;

/** containerd inserts the node's pod range when the kubelet sends it (UpdateRuntimeConfig). */
const network = (directory: string) =>
  JSON.stringify({
    cniVersion: '0.4.0',
    name: 'test',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: 'host-local',
          dataDir: `${directory}/ipam`,
          ranges: [[{ subnet: '{{.PodCIDR}}' }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
