import { type Client, createClient, httpsTransport, loadKubeconfig } from '../../client/client.ts';
import { type DataDirectory, runningProcess } from '../../cluster/data-directory.ts';
import { CliError, type ClusterOptions, directoryOf } from '../options/options.ts';

/** Works as the administrator of the cluster that runs in the data directory. Rejects with CliError without one. */
export async function asAdministrator(
  options: ClusterOptions,
  work: (client: Client, directory: DataDirectory) => Promise<void>,
): Promise<void> {
  const directory = directoryOf(options);
  if (!(await runningProcess(directory)))
    throw new CliError(`no cluster runs in ${directory.root}: start it with "./coracle up"`, 3);
  const kubeconfig = await loadKubeconfig(directory.kubeconfig).catch((error) => {
    throw new CliError(`this command belongs on a machine of the control plane: ${(error as Error).message}`);
  });
  const transport = httpsTransport(kubeconfig);
  try {
    await work(createClient(transport), directory);
  } finally {
    transport.close();
  }
}
