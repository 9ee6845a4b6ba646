// What every runtime must do; each implementation's test runs it. No test code of a runtime's own belongs here.

import type { ContainerConfig, SandboxConfig } from './container-runtime.ts';

let pods = 0;

export function sandboxConfig(logDirectory: string, change: Partial<SandboxConfig> = {}): SandboxConfig {
  const uid = `uid-${process.pid}-${++pods}`;
  return {
    name: `pod-${pods}`,
    namespace: 'default',
    uid,
    attempt: 0,
    hostname: `pod-${pods}`,
    logDirectory,
    labels: { app: 'test' },
    annotations: {},
    cgroupParent: `/coracle-test-${process.pid}/pod${uid}`,
    hostNetwork: false,
    hostPid: false,
    hostIpc: false,
    ...change,
  };
}

export function containerConfig(change: Partial<ContainerConfig> & { image: string }): ContainerConfig {
  return {
    name: 'main',
    attempt: 0,
    command: [],
    args: [],
    env: [],
    mounts: [],
    labels: {},
    annotations: {},
    logPath: 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      noNewPrivileges: false,
      addCapabilities: [],
      dropCapabilities: [],
    },
    ...change,
  };
}
