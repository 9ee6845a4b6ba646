import { spawn } from 'node:child_process';

/** Runs a program to its end. Rejects with its output if it fails. */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk) => out.push(chunk));
    child.stderr.on('data', (chunk) => err.push(chunk));
    child.on('error', reject);
    child.stdin.on('error', () => {}); // it ended before reading all input: the exit code shows the error
    child.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else
        reject(
          new Error(`${program} ${args.join(' ')}: ${Buffer.concat(err).toString().trim() || `exit code ${code}`}`),
        );
    });
    child.stdin.end(input);
  });
}
