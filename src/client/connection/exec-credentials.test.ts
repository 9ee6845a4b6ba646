import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock, VirtualClock } from '../../machinery/time/clock.ts';
import { type ExecOptions, execCredentials } from './exec-credentials.ts';

const v1 = 'client.authentication.k8s.io/v1';
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'coracle-exec-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A plugin that counts its runs and prints `output`. */
function plugin(output: object | string, script = ''): object {
  writeFileSync(path.join(directory, 'output'), typeof output === 'string' ? output : JSON.stringify(output));
  const program = path.join(directory, 'plugin');
  const lines = ['#!/bin/sh', 'cd "$(dirname "$0")"', 'echo x >>runs', script, 'cat output'];
  writeFileSync(program, lines.join('\n'));
  chmodSync(program, 0o755);
  return { apiVersion: v1, command: './plugin', interactiveMode: 'Never' };
}
const credential = (status: object | undefined, apiVersion = v1) => ({ kind: 'ExecCredential', apiVersion, status });
const runs = () => readFileSync(path.join(directory, 'runs'), 'utf8').length / 2;

const sourceOf = (exec: unknown, options: Partial<ExecOptions> = {}) =>
  execCredentials({
    ...{ exec, userName: 'jane', file: path.join(directory, 'config'), cluster: { server: 'https://h:1' } },
    ...{ clock: systemClock, environment: { PATH: process.env['PATH'] }, hasTerminal: false },
    ...options,
  });

test('a token is made once, for requests at the same time too, until it expires or is refused', async () => {
  const clock = new VirtualClock();
  const status = { token: 'T', expirationTimestamp: '2026-01-01T00:10:00Z' };
  const source = sourceOf(plugin(credential(status)), { clock });
  const made = await Promise.all([source.get(), source.get()]);
  expect(made[0].authorization).toBe('Bearer T');
  await source.get();
  expect(runs()).toBe(1);
  await clock.advance(11 * 60_000);
  writeFileSync(
    path.join(directory, 'output'),
    JSON.stringify(credential({ token: 'U', expirationTimestamp: '2026-01-02T00:00:00Z' })),
  );
  const next = await Promise.all([source.get(), source.get()]);
  expect(next.map(({ authorization }) => authorization)).toEqual(['Bearer U', 'Bearer U']);
  expect(runs()).toBe(2);
  source.refuse(made[0]);
  await source.get();
  expect(runs()).toBe(2);
  source.refuse(next[0]);
  await Promise.resolve();
  await source.get();
  expect(runs()).toBe(3);
});

test('a certificate comes with its key; v1beta1 needs no interactive mode', async () => {
  const version = 'client.authentication.k8s.io/v1beta1';
  const made = plugin(credential({ clientCertificateData: 'C', clientKeyData: 'K' }, version));
  const source = sourceOf({ ...made, apiVersion: version, interactiveMode: undefined });
  expect(await source.get()).toEqual({ cert: 'C', key: 'K' });
});

test('the program gets arguments, variables and the cluster', async () => {
  const made = plugin(credential({ token: 'T' }), 'printf "%s\\n" "$1" "$STAGE" "$KUBERNETES_EXEC_INFO" >seen');
  const env = [{ name: 'STAGE', value: 'test' }];
  await sourceOf({ ...made, args: ['a b'], env, provideClusterInfo: true }).get();
  const [first, stage, info] = readFileSync(path.join(directory, 'seen'), 'utf8').split('\n');
  expect([first, stage]).toEqual(['a b', 'test']);
  expect(JSON.parse(info)).toEqual({
    ...{ kind: 'ExecCredential', apiVersion: v1 },
    spec: { cluster: { server: 'https://h:1' }, interactive: false },
  });
});

describe('a wrong configuration is refused at once', () => {
  test.each<[string, object, string]>([
    ['no command', { command: '' }, 'command must be specified for jane to use exec authentication plugin'],
    ['no version', { apiVersion: '' }, 'apiVersion must be specified for jane'],
    ['a version of the past', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }, 'invalid apiVersion'],
    ['v1 without a mode', { interactiveMode: undefined }, 'interactiveMode must be specified for jane'],
    ['an unknown mode', { interactiveMode: 'Sometimes' }, 'invalid interactiveMode for jane: "Sometimes"'],
    ['a terminal that does not exist', { interactiveMode: 'Always' }, 'standard input is not a terminal'],
    ['a variable without a name', { env: [{ value: 'x' }] }, 'env name must be specified for jane'],
  ])('%s', (_, change, message) => {
    expect(() => sourceOf({ ...plugin({}), ...change })).toThrow(message);
  });
});

describe('an answer that cannot be used names its fault', () => {
  test.each<[string, object | string, string]>([
    ['no JSON', 'hello', 'decoding stdout: '],
    ['another kind', { kind: 'Pod', apiVersion: v1 }, 'printed no ExecCredential'],
    ['another version', credential({ token: 'T' }, 'client.authentication.k8s.io/v1beta1'), 'plugin returned version'],
    ['no status', credential(undefined), "exec plugin didn't return a status field"],
    ['nothing', credential({}), "exec plugin didn't return a token or cert/key pair"],
    ['a certificate alone', credential({ clientCertificateData: 'C' }), 'only certificate or key, not both'],
    ['a time that is none', credential({ token: 'T', expirationTimestamp: 'soon' }), 'expirationTimestamp is no time'],
    ['a token of two lines', credential({ token: 'T\nX: y' }), 'a token that is no header'],
  ])('%s', async (_, output, message) => {
    await expect(sourceOf(plugin(output)).get()).rejects.toThrow(message);
  });
});

describe('a program that fails', () => {
  test('is named with its exit code and its last words, and is not run again at once', async () => {
    const source = sourceOf(plugin('', 'printf "\\033[31msign in first\\033[0m\\n" >&2; exit 3'));
    await expect(source.get()).rejects.toThrow(/executable \S+plugin failed with exit code 3\nsign in first$/);
    await expect(source.get()).rejects.toThrow('sign in first');
    expect(runs()).toBe(1);
  });

  test('and is missing: the hint of the file says how to get it', async () => {
    const exec = {
      apiVersion: v1,
      command: 'coracle-no-such-plugin',
      interactiveMode: 'Never',
      installHint: 'buy one',
    };
    await expect(sourceOf(exec).get()).rejects.toThrow(/coracle-no-such-plugin not found\n.*\nbuy one$/s);
  });

  test('and prints without end is ended', async () => {
    await expect(sourceOf(plugin('', 'exec yes')).get()).rejects.toThrow('printed more than 1048576 bytes');
  });

  test('and does not end is ended', async () => {
    const clock = new VirtualClock();
    const waiting = sourceOf(plugin('', 'exec sleep 60'), { clock }).get();
    waiting.catch(() => undefined);
    await clock.advance(61_000);
    await expect(waiting).rejects.toThrow('did not end within 60 seconds');
  });
});
