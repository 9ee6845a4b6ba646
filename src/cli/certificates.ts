import { discardCertificates, listCertificates, readMembership } from '../cluster/cluster.ts';
import { askControl } from '../cluster/control.ts';
import { runningProcess } from '../cluster/data-directory.ts';
import { humanDuration } from '../machinery/time/duration.ts';
import { CliError, type ClusterOptions, directoryOf, green, print, red } from './options/options.ts';

type Output = { readonly output: 'text' | 'json' };

const dayMs = 86_400_000;
/** Running clusters renew long before: less shows that this does not work. */
const alarmMs = 30 * dayMs;
const renewTimeoutMs = 120_000;

export async function check(options: ClusterOptions & Output): Promise<void> {
  const directory = directoryOf(options);
  const found = await listCertificates(directory);
  if (found.length === 0)
    throw new CliError(`${directory.root} has no certificates: start the cluster with "./coracle up"`, 3);
  const nowMs = Date.now();
  const due = found.filter(({ notAfter }) => notAfter - nowMs < alarmMs);
  if (options.output === 'json')
    print(
      JSON.stringify(
        found.map(({ notBefore, notAfter, ...rest }) => ({
          ...rest,
          notBefore: new Date(notBefore).toISOString(),
          notAfter: new Date(notAfter).toISOString(),
        })),
        null,
        2,
      ),
    );
  else
    for (const { file, subject, isAuthority, notAfter } of found) {
      const rest = notAfter > nowMs ? `expires in ${humanDuration(notAfter - nowMs)}` : red('expired');
      const mark = notAfter - nowMs < alarmMs ? red('!!') : green('ok');
      print(`  ${mark} ${file.padEnd(34)} ${rest.padEnd(18)} ${isAuthority ? 'authority  ' : ''}${subject}`);
    }
  if (due.length > 0)
    throw new CliError(
      options.output === 'json'
        ? ''
        : `${due.length} certificates expire within 30 days: run "coracle certificates renew"; authorities cannot be renewed in place`,
    );
}

export async function renew(options: ClusterOptions): Promise<void> {
  const directory = directoryOf(options);
  const isRunning = (await runningProcess(directory)) !== undefined;
  if (!isRunning && (await readMembership(directory)))
    throw new CliError('the machine asks its cluster for certificates: start it with "./coracle agent" first', 3);
  const files = await discardCertificates(directory, { isRunning });
  if (files.length === 0) throw new CliError(`${directory.root} has no certificates to renew`, 3);
  if (isRunning)
    await askControl(directory.controlSocket, 'renew-certificates', undefined, renewTimeoutMs).catch((error) => {
      throw new CliError(
        `the certificates are not renewed: ${error.message}. The running cluster tries again by itself`,
      );
    });
  if (!isRunning) return print(`${files.length} certificates are removed: the next start makes new ones.`);
  const kubeconfig = 'The kubeconfig is new; copies of the former one stay valid until they expire.';
  print(
    `${files.length} certificates are renewed, with new keys, and in use.${files.includes('pki/admin.crt') ? ` ${kubeconfig}` : ''}`,
  );
}
