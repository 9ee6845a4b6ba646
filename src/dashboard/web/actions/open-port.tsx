// Opens a port of a pod or service in a new tab, through the proxy of the API server. Its pages run in a sandbox.

import { useSignal } from '@preact/signals';
import { type KubeObject, openPreview } from '../api/api.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { forwardCommand, type OpenPort, portsOf } from '../model/ports.ts';
import { t } from '../text.ts';
import { CopyLine } from '../ui/copy-line.tsx';
import { Dialog, openDialog } from '../ui/dialogs.tsx';
import { reportError } from '../ui/toasts.tsx';

export const hasPorts = (kind: Kind): boolean => ['pods', 'services'].includes(kindId(kind));

export const askToOpenPort = (kind: Kind, object: KubeObject): void =>
  openDialog(() => <OpenPortDialog resource={kindId(kind) === 'services' ? 'services' : 'pods'} object={object} />);

const anotherPort = 'another';

function OpenPortDialog({ resource, object }: { resource: 'pods' | 'services'; object: KubeObject }) {
  const { name, namespace = '' } = object.metadata;
  const ports = portsOf(resource, object.spec);
  const chosen = useSignal(ports[0]?.port ?? anotherPort);
  const scheme = useSignal<'http' | 'https'>(ports[0]?.isTls ? 'https' : 'http');
  const typed = useSignal('8080');
  const place = useSignal('');
  const isAnother = chosen.value === anotherPort;
  const port = isAnother ? typed.value : chosen.value;
  const choose = (value: string) => {
    chosen.value = value;
    place.value = '';
    scheme.value = ports.find((one) => one.port === value)?.isTls ? 'https' : 'http';
  };
  const run = () =>
    openPreview({ resource, namespace, name, port, scheme: scheme.value }).then((path) => {
      place.value = path;
      window.open(path, '_blank', 'noopener');
    }, reportError);
  return (
    <Dialog title={t('openTitle', { name })} action={t('open')} isBusy={!isPort(port)} onAction={() => void run()}>
      <p class="muted">{t('openLead')}</p>
      <PortChoice ports={ports} chosen={chosen.value} mayType={resource === 'pods'} choose={choose} />
      {isAnother && (
        <label class="field">
          {t('portNumber')}
          <input
            inputMode="numeric"
            value={typed.value}
            onInput={({ currentTarget }) => (typed.value = currentTarget.value.trim())}
          />
        </label>
      )}
      <label class="field">
        {t('protocol')}
        <select
          value={scheme.value}
          onChange={({ currentTarget }) => (scheme.value = currentTarget.value === 'https' ? 'https' : 'http')}
        >
          <option value="http">http</option>
          <option value="https">https</option>
        </select>
      </label>
      {place.value && (
        <p>
          <a href={place.value} target="_blank" rel="noopener">
            {t('openAgain')}
          </a>
        </p>
      )}
      <p class="muted">{t('openForward')}</p>
      <CopyLine text={forwardCommand(resource, namespace, name, port)} />
    </Dialog>
  );
}

interface PortChoiceProps {
  readonly ports: readonly OpenPort[];
  readonly chosen: string;
  readonly mayType: boolean;
  choose(port: string): void;
}

const PortChoice = ({ ports, chosen, mayType, choose }: PortChoiceProps) => (
  <label class="field">
    {t('port')}
    <select value={chosen} onChange={({ currentTarget }) => choose(currentTarget.value)}>
      {ports.map(({ port, text }) => (
        <option key={port} value={port}>
          {text}
        </option>
      ))}
      {(mayType || ports.length === 0) && <option value={anotherPort}>{t('portOther')}</option>}
    </select>
  </label>
);

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
