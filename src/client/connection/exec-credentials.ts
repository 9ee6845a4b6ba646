// Credentials that a program makes: exec plugins of kubeconfigs, versions v1 and v1beta1.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fieldsIn, listIn, textIn } from '../../machinery/parsed.ts';
import type { Clock } from '../../machinery/time/clock.ts';
import type { CredentialSource, Credentials } from './connection.ts';

const versions = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1'];
const interactiveModes = ['Never', 'IfAvailable', 'Always'];
const mostOutputBytes = 1 << 20;
const mostErrorBytes = 4 << 10;
const mostErrorLines = 5;
/** A program that fails is not run again at once. */
const retryMs = 5_000;
/** Its user may have to sign in with a browser or a terminal. */
const patienceMs = { alone: 60_000, interactive: 5 * 60_000 };

export interface ExecOptions {
  /** The `exec` of a user. */
  readonly exec: unknown;
  readonly userName: string;
  /** Commands with a slash are relative to it. */
  readonly file: string;
  /** For programs with provideClusterInfo. */
  readonly cluster: object;
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether the program may ask its user. */
  readonly hasTerminal: boolean;
}

interface Plugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isInteractive: boolean;
  readonly installHint: string;
}

interface Made extends Credentials {
  /** Undefined: until the server refuses them. */
  readonly expiresMs?: number;
}

/** Throws for a wrong configuration. The program runs at the first `get`. */
export function execCredentials(options: ExecOptions): CredentialSource {
  const plugin = pluginOf(options);
  const { clock } = options;
  let made: Promise<Made> | undefined;
  const isOver = ({ expiresMs }: Made) => expiresMs !== undefined && expiresMs <= clock.now();
  /** Requests at the same time run it once. */
  const make = () => {
    const run = runPlugin(plugin, clock).catch((error: Error) => {
      const drop = () => {
        if (made === run) made = undefined;
      };
      clock.after(retryMs, drop, { background: true });
      throw new Error(`getting credentials: ${error.message}`);
    });
    made = run;
    return run;
  };
  return {
    async get() {
      const current = made;
      const present = await current;
      if (present && !isOver(present)) return present;
      // Another request may have begun while this one waited.
      return made && made !== current ? made : make();
    },
    refuse(credentials) {
      const current = made;
      const drop = (present: Made) => {
        if (present === credentials && made === current) made = undefined;
      };
      current?.then(drop, () => undefined);
    },
  };
}

function pluginOf({ exec, userName, file, cluster, environment, hasTerminal }: ExecOptions): Plugin {
  const fields = fieldsIn(exec);
  const [apiVersion, command] = [textIn(fields['apiVersion']), textIn(fields['command'])];
  const needed = (field: string) =>
    new Error(`${field} must be specified for ${userName} to use exec authentication plugin`);
  if (!command) throw needed('command');
  if (!apiVersion) throw needed('apiVersion');
  if (!versions.includes(apiVersion))
    throw new Error(
      `exec plugin: invalid apiVersion ${JSON.stringify(apiVersion)}: it must be ${versions.join(' or ')}`,
    );
  const mode = textIn(fields['interactiveMode']) || (apiVersion.endsWith('/v1') ? '' : 'IfAvailable');
  if (!mode) throw needed('interactiveMode');
  if (!interactiveModes.includes(mode))
    throw new Error(`invalid interactiveMode for ${userName}: ${JSON.stringify(mode)}`);
  if (mode === 'Always' && !hasTerminal)
    throw new Error('exec plugin cannot support interactive mode: standard input is not a terminal');
  const isInteractive = mode !== 'Never' && hasTerminal;
  const info = {
    ...{ kind: 'ExecCredential', apiVersion },
    spec: { ...(fields['provideClusterInfo'] === true && { cluster }), interactive: isInteractive },
  };
  const own = Object.fromEntries(
    listIn(fields['env']).map((entry) => {
      const { name, value } = fieldsIn(entry);
      if (!textIn(name)) throw needed('env name');
      return [textIn(name), textIn(value)];
    }),
  );
  return {
    ...{ apiVersion, isInteractive, installHint: textIn(fields['installHint']) },
    command: command.includes('/') ? resolve(dirname(file), command) : command,
    words: listIn(fields['args']).map(textIn),
    environment: { ...environment, ...own, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
  };
}

async function runPlugin(plugin: Plugin, clock: Clock): Promise<Made> {
  const output = await outputOf(plugin, clock);
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch {
    throw new Error(`decoding stdout: ${plugin.command} printed no JSON`);
  }
  const { kind, apiVersion, status } = fieldsIn(parsed);
  if (kind !== 'ExecCredential') throw new Error(`decoding stdout: ${plugin.command} printed no ExecCredential`);
  if (apiVersion !== plugin.apiVersion)
    throw new Error(
      `exec plugin is configured to use API version ${plugin.apiVersion}, plugin returned version ${textIn(apiVersion)}`,
    );
  return credentialsIn(status);
}

function credentialsIn(status: unknown): Made {
  if (status === undefined || status === null) throw new Error("exec plugin didn't return a status field");
  const { token, clientCertificateData: cert, clientKeyData: key, expirationTimestamp } = fieldsIn(status);
  const texts = { token: textIn(token), cert: textIn(cert), key: textIn(key) };
  if (!texts.token && !texts.cert && !texts.key) throw new Error("exec plugin didn't return a token or cert/key pair");
  if (!texts.cert !== !texts.key) throw new Error('exec plugin returned only certificate or key, not both');
  const expiresMs = Date.parse(textIn(expirationTimestamp));
  if (textIn(expirationTimestamp) && Number.isNaN(expiresMs))
    throw new Error('decoding stdout: expirationTimestamp is no time');
  // A line break would end the header.
  if (/[^\x21-\x7e]/.test(texts.token)) throw new Error('exec plugin returned a token that is no header');
  return {
    ...(texts.token && { authorization: `Bearer ${texts.token}` }),
    ...(texts.cert && { cert: texts.cert, key: texts.key }),
    ...(!Number.isNaN(expiresMs) && { expiresMs }),
  };
}

/** The output of the program. Its errors go to the terminal, and into the message. */
function outputOf({ command, words, environment, isInteractive, installHint }: Plugin, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    const program = spawn(command, words, {
      env: { ...environment },
      stdio: [isInteractive ? 'inherit' : 'ignore', 'pipe', 'pipe'],
    });
    const limitMs = isInteractive ? patienceMs.interactive : patienceMs.alone;
    let [output, errors] = ['', ''];
    let fault: string | undefined;
    const end = (why: string) => {
      fault ??= why;
      program.kill('SIGKILL');
      program.stdout.destroy();
      program.stderr.destroy();
    };
    const timer = clock.after(limitMs, () => end(`did not end within ${limitMs / 1_000} seconds`));
    program.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > mostOutputBytes) end(`printed more than ${mostOutputBytes} bytes`);
    });
    program.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (isInteractive) process.stderr.write(text);
      errors = (errors + text).slice(-mostErrorBytes);
    });
    program.on('error', (error: NodeJS.ErrnoException) => {
      timer.cancel();
      const isMissing = error.code === 'ENOENT';
      reject(new Error(isMissing ? missing(command, installHint) : `exec: executable ${command}: ${error.message}`));
    });
    program.on('close', (code, signal) => {
      timer.cancel();
      if (fault === undefined && code === 0) return resolve(output);
      const why = fault ?? (signal ? `was killed by ${signal}` : `failed with exit code ${code}`);
      reject(new Error([`exec: executable ${command} ${why}`, ...lastLines(errors)].join('\n')));
    });
  });
}

const lastLines = (text: string): string[] =>
  withoutControls(text).trim().split('\n').filter(Boolean).slice(-mostErrorLines);

/** For texts that reach a terminal. */
const withoutControls = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters.
  text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '').replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '');

const missing = (command: string, hint: string): string =>
  [
    `exec: executable ${command} not found`,
    'The kubeconfig names it as its credential plugin: install it, or correct the kubeconfig.',
    ...(hint ? [withoutControls(hint)] : []),
  ].join('\n');
