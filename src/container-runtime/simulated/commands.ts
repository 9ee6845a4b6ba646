// Interprets simple commands of simulated containers: those that print, wait or exit.

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

interface Played {
  /** The output. */
  readonly output: string;
  /** The duration; Infinity for a command that runs until stopped. */
  readonly runMs: number;
  readonly exitCode: number;
}

interface Surroundings {
  readonly hostname: string;
  readonly env: readonly { readonly key: string; readonly value: string }[];
}

const unitMs: Readonly<Record<string, number>> = { '': 1_000, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Undefined for a command with any other part. */
export function play(words: readonly string[], around: Surroundings): Played | undefined {
  const [program = '', ...args] = words;
  const name = program.slice(program.lastIndexOf('/') + 1);
  if (!/^(sh|bash|ash|dash)$/.test(name)) return simple(name, args, around);
  const script = args.findIndex((arg) => /^-\w*c$/.test(arg));
  return script < 0 ? undefined : playScript(args[script + 1] ?? '', around);
}

/** The result of exec: unknown commands succeed without output, and no command takes time. */
export function execOfCommand(words: readonly string[], around: Surroundings): ExecResult {
  const { output = '', exitCode = 0 } = play(words, around) ?? {};
  return { exitCode, stdout: output };
}

/** Statements in sequence; after `&&` only on success, after `||` only on failure. */
function playScript(script: string, around: Surroundings): Played | undefined {
  if (/[`|&<>$(){}]/.test(script.replace(/&&|\|\||\$\{?\w+\}?/g, ''))) return undefined;
  const text = script.replace(/\$\{?(\w+)\}?/g, (_, key) => around.env.find((one) => one.key === key)?.value ?? '');
  let [output, runMs, exitCode] = ['', 0, 0];
  for (const [, before, statement] of text.matchAll(/(^|;|\n|&&|\|\|)([^;\n&|]*)/g)) {
    const words = (statement.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/s, '$2'));
    if (!words.length || (before === '&&' && exitCode) || (before === '||' && !exitCode)) continue;
    const played = simple(words[0], words.slice(1), around);
    if (!played) return undefined;
    output += played.output;
    runMs += played.runMs;
    exitCode = played.exitCode;
    if (words[0] === 'exit') break;
  }
  return { output, runMs, exitCode };
}

const printed = (output: string): Played => ({ output, runMs: 0, exitCode: 0 });
const ended = (exitCode: number): Played => ({ output: '', runMs: 0, exitCode });

function simple(name: string, args: readonly string[], { hostname, env }: Surroundings): Played | undefined {
  switch (name) {
    case 'sleep': {
      const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(args[0] ?? '');
      if (args[0] !== 'infinity' && !match) return undefined;
      const runMs = match ? Math.round(Number(match[1]) * unitMs[match[2]]) : Number.POSITIVE_INFINITY;
      return { output: '', runMs, exitCode: 0 };
    }
    case 'pause':
      return { output: '', runMs: Number.POSITIVE_INFINITY, exitCode: 0 };
    case 'tail':
      return args.includes('-f') ? { output: '', runMs: Number.POSITIVE_INFINITY, exitCode: 0 } : undefined;
    case 'exit':
      return ended(Number(args[0] ?? 0) & 255);
    case 'true':
    case ':':
    case 'set':
      return ended(0);
    case 'false':
      return ended(1);
    case 'echo':
      return printed(args[0] === '-n' ? args.slice(1).join(' ') : `${args.join(' ')}\n`);
    case 'hostname':
      return printed(`${hostname}\n`);
    case 'env':
    case 'printenv':
      return printed(env.map(({ key, value }) => `${key}=${value}\n`).join(''));
    default:
      return undefined;
  }
}
