import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { settings } from '../../cluster/config.ts';
import { optionRows, settingsOf, withUpOptions } from './up-options.ts';

const parse = (...args: string[]) => {
  const command = withUpOptions(new Command('up'))
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return command.parse(args, { from: 'user' }).opts();
};

test("the README's table of options is the one that --help has", () => {
  const readme = readFileSync(path.join(import.meta.dirname, '../../../README.md'), 'utf8');
  const rows = optionRows(withUpOptions(new Command('up')));
  expect(rows.length).toBeGreaterThan(Object.keys(settings).length);
  const table = ['| option of `up` | effect |', '|---|---|', ...rows].join('\n');
  expect(readme.includes(`\n${table}\n`), `README.md must have this table:\n${table}`).toBe(true);
});

test('every setting comes from its option', () => {
  const args = ['--port', '1', '--node-ip', '192.0.2.1', '--service-cidr', '10.0.0.0/16', '--anonymous-auth', 'false'];
  expect(settingsOf(parse(...args, '--components', 'kube-apiserver'))).toMatchObject({
    port: 1,
    nodeIP: '192.0.2.1',
    serviceCidr: '10.0.0.0/16',
    anonymousAuth: false,
    components: ['kube-apiserver'],
  });
});

test('an absent option leaves the choice to the configuration', () => {
  const found = settingsOf(parse());
  expect(found).toMatchObject({ port: 6443, runtime: 'native', nodes: 1 });
  for (const name of ['nodeIP', 'serviceCidr', 'components', 'auditPolicy']) expect(found).not.toHaveProperty(name);
});

test.each([
  [['--service-cidr', '10.0.0.1/16'], /option '--service-cidr <ranges>' argument '10.0.0.1\/16' is invalid\. 10\.0/],
  [['--runtime', 'magic'], /Allowed choices are native, cri, simulated/],
  [['--feature-gates', 'A=true'], /unknown option '--feature-gates'/],
])('%j is refused', (args, says) => expect(() => parse(...args)).toThrow(says));
