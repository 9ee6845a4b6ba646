// The record of a container's exit, and the signals that cause it.

export function ended(finishedAt: number, exitCode: number, reason?: string) {
  const why = reason ?? (exitCode === 0 ? 'Completed' : 'Error');
  return { state: 'exited', finishedAt, exitCode, reason: why } as const;
}

export function signalName(name: string): NodeJS.Signals {
  const signals = /^\d+$/.test(name) ? undefined : name.startsWith('SIG') ? name : `SIG${name}`;
  return (signals ??
    ({ '1': 'SIGHUP', '2': 'SIGINT', '3': 'SIGQUIT', '9': 'SIGKILL' } as Record<string, string>)[name] ??
    'SIGTERM') as NodeJS.Signals;
}
