// Certificates of the port, and the authorities of its clients. All are read again when their files change.

import path from 'node:path';
import type {
  CertifiedName,
  FrontProxy,
  Listener,
  ServerConfig,
  TlsOptions,
} from '../../kube-apiserver/kube-apiserver.ts';
import type { KeyPair } from '../certificates/certificates.ts';
import type { LiveFile, LiveFiles } from '../configuration/live-files.ts';
import { ensureServingPair, openAuthorities, openKeyPair } from './files.ts';
import type { FlagValues } from './flags.ts';
import { parseNamedCertificate } from './flags-serving.ts';
import { openSslCiphers } from './tls.ts';

/** Authorities in use. Their holders see later ones in the same objects. */
interface Trust {
  readonly clientCa?: string;
  readonly frontProxy?: FrontProxy;
}

export interface Serving {
  readonly tls: TlsOptions;
  readonly trust: Trust;
  /** Clients of other servers: kubelets and extension API servers. */
  readonly clients: Pick<ServerConfig, 'kubeletClient' | 'proxyClient'>;
  /** Brings later files into use. `trustChanged` runs after a change of the authorities. */
  begin(listener: Listener, trustChanged: () => void): void;
}

interface ServingContext {
  readonly files: LiveFiles;
  readonly nowMs: number;
}

/** `addresses` are those of a certificate that is made here. Rejects with the faulty flag. */
export async function openServing(
  values: FlagValues,
  addresses: readonly string[],
  { files, nowMs }: ServingContext,
): Promise<Serving> {
  const pair = await openServingPair(values, addresses, files, nowMs);
  const named = await openNamed(values, files);
  const clientCa = await openAuthorities(files, 'client-ca-file', values['client-ca-file']);
  const proxyFlag = 'requestheader-client-ca-file';
  const proxyCa = await openAuthorities(files, proxyFlag, values[proxyFlag]);
  const ciphers = openSslCiphers(values['tls-cipher-suites']);
  const trust: { clientCa?: string; frontProxy?: FrontProxy } = {
    ...(clientCa && { clientCa: clientCa.value }),
    ...(proxyCa && { frontProxy: frontProxyOf(values, proxyCa.value) }),
  };
  return {
    tls: {
      ...pair.value,
      named: named.map(({ names, live }) => ({ ...live.value, ...(names && { names }) })),
      minVersion: values['tls-min-version'] === 'VersionTLS13' ? 'TLSv1.3' : 'TLSv1.2',
      ...(ciphers && { ciphers }),
      ...(clientCa && { clientCa: clientCa.value }),
    },
    trust,
    clients: await openClients(values, files),
    begin(listener, trustChanged) {
      pair.onChange((value) => listener.renew(value));
      renewNamed(named, listener);
      clientCa?.onChange((value) => {
        listener.renew({ clientCa: value });
        trust.clientCa = value;
        trustChanged();
      });
      proxyCa?.onChange((value) => {
        renewFrontProxy(trust.frontProxy, value, listener);
        trustChanged();
      });
    },
  };
}

async function openServingPair(
  values: FlagValues,
  addresses: readonly string[],
  files: LiveFiles,
  nowMs: number,
): Promise<LiveFile<KeyPair>> {
  const flags = ['tls-cert-file', 'tls-private-key-file'] as const;
  const given = await openKeyPair(files, flags, [values[flags[0]], values[flags[1]]]);
  if (given) return given;
  const directory = path.resolve(values['cert-dir']);
  await ensureServingPair(directory, [...new Set([...addresses, '127.0.0.1'])], nowMs);
  const own = await openKeyPair(
    files,
    ['cert-dir', 'cert-dir'],
    [path.join(directory, 'apiserver.crt'), path.join(directory, 'apiserver.key')],
  );
  if (!own) throw new Error(`--cert-dir ${directory} holds no certificate`);
  return own;
}

interface Named {
  readonly names: readonly string[] | undefined;
  readonly live: LiveFile<KeyPair>;
}

async function openNamed(values: FlagValues, files: LiveFiles): Promise<readonly Named[]> {
  const opened: Named[] = [];
  for (const text of values['tls-sni-cert-key']) {
    const { certFile, keyFile, names } = parseNamedCertificate(text);
    const flag = 'tls-sni-cert-key';
    const live = await openKeyPair(files, [flag, flag], [certFile, keyFile]);
    if (live) opened.push({ names, live });
  }
  return opened;
}

function renewNamed(named: readonly Named[], listener: Listener): void {
  let current = named.map(({ names, live }): CertifiedName => ({ ...live.value, ...(names && { names }) }));
  named.forEach(({ live }, index) => {
    live.onChange((pair) => {
      const next = current.with(index, { ...current[index], ...pair });
      listener.renew({ named: next });
      current = next;
    });
  });
}

const frontProxyOf = (values: FlagValues, ca: string): FrontProxy => ({
  ca,
  allowedNames: values['requestheader-allowed-names'],
  headers: {
    username: values['requestheader-username-headers'],
    uid: values['requestheader-uid-headers'],
    group: values['requestheader-group-headers'],
    extraPrefix: values['requestheader-extra-headers-prefix'],
  },
});

/** The server reads the authority from the same object. */
function renewFrontProxy(frontProxy: FrontProxy | undefined, ca: string, listener: Listener): void {
  if (!frontProxy) return;
  const previous = frontProxy.ca;
  Object.assign(frontProxy, { ca });
  try {
    listener.renew({});
  } catch (error) {
    Object.assign(frontProxy, { ca: previous });
    throw error;
  }
}

/** Certificates are changed in place, so that the next connection presents the new one. */
async function openClients(values: FlagValues, files: LiveFiles): Promise<Serving['clients']> {
  const open = (certFlag: keyof FlagValues, keyFlag: keyof FlagValues) =>
    openKeyPair(files, [certFlag, keyFlag], [String(values[certFlag]), String(values[keyFlag])]);
  const kubelet = await open('kubelet-client-certificate', 'kubelet-client-key');
  const proxy = await open('proxy-client-cert-file', 'proxy-client-key-file');
  const caFlag = 'kubelet-certificate-authority';
  const kubeletCa = await openAuthorities(files, caFlag, values[caFlag]);
  const kubeletClient = kubelet && { ...kubelet.value, ...(kubeletCa && { ca: kubeletCa.value }) };
  const proxyClient = proxy && { ...proxy.value };
  kubelet?.onChange((pair) => void Object.assign(kubeletClient ?? {}, pair));
  kubeletCa?.onChange((ca) => void Object.assign(kubeletClient ?? {}, { ca }));
  proxy?.onChange((pair) => void Object.assign(proxyClient ?? {}, pair));
  return { ...(kubeletClient && { kubeletClient }), ...(proxyClient && { proxyClient }) };
}
