// The format of files for environment variables: a strict subset of the shell's assignments, KEY='any text'.
// https://kubernetes.io/docs/concepts/workloads/pods/ (fileKeyRef) and KEP-3721.

/** Throws an Error for a line that is no assignment. Undefined without the key, or with no value for it. */
export function valueInEnvFile(text: string, key: string): string | undefined {
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i].replace(/\r$/, '').replace(/^[ \t]+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const fault = (why: string) => new Error(`invalid environment variable format at line ${i + 1}: ${why}`);
    const equals = line.indexOf('=');
    if (equals === -1) throw fault("missing '='");
    const name = line.slice(0, equals);
    if (name.trim() === '') throw fault('empty variable name');
    if (/[ \t]$/.test(name)) throw fault("whitespace before '=' is not allowed");
    let rest = line.slice(equals + 1);
    // As in a shell: the variable is empty, and a command follows.
    if (/^[ \t]/.test(rest)) {
      if (name === key) return undefined;
      continue;
    }
    if (!rest.startsWith("'")) throw fault('value must be enclosed in single quotes');
    rest = rest.slice(1);
    const parts: string[] = [];
    while (!rest.includes("'")) {
      parts.push(rest);
      if (++i >= lines.length) throw fault('unclosed single quote');
      rest = lines[i];
    }
    const end = rest.indexOf("'");
    if (!/^[ \t]*(#|\r?$)/.test(rest.slice(end + 1))) throw fault('unexpected content after closing quote');
    if (name === key) return [...parts, rest.slice(0, end)].join('\n') || undefined;
  }
  return undefined;
}
