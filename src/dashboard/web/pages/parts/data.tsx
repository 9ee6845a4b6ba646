// The data of config maps and secrets. A secret is shown when the user wants to see it.

import { useSignal } from '@preact/signals';
import { fieldsIn, textIn } from '../../../../machinery/parsed.ts';
import type { KubeObject } from '../../api/api.ts';
import { t } from '../../text.ts';
import { Icon } from '../../ui/icons.tsx';
import { Part } from './part.tsx';

export function DataPart({ object, isSecret }: { object: KubeObject; isSecret: boolean }) {
  const entries = Object.entries(fieldsIn(object['data']));
  const binary = Object.keys(fieldsIn(object['binaryData']));
  return (
    <Part title={t('data')}>
      {entries.length + binary.length === 0 && <span class="muted">{t('none')}</span>}
      {entries.map(([name, value]) => (
        <Entry key={name} name={name} value={textIn(value)} isSecret={isSecret} />
      ))}
      {binary.map((name) => (
        <p key={name}>
          {name} <span class="muted">{t('binary')}</span>
        </p>
      ))}
    </Part>
  );
}

function Entry({ name, value, isSecret }: { name: string; value: string; isSecret: boolean }) {
  const isShown = useSignal(!isSecret);
  return (
    <div class="data-entry">
      <div class="data-name">
        <strong>{name}</strong>
        {isSecret && (
          <button
            type="button"
            class="quiet"
            aria-pressed={isShown.value}
            onClick={() => (isShown.value = !isShown.value)}
          >
            <Icon name="eye" />
            {isShown.value ? t('hide') : t('show')}
          </button>
        )}
      </div>
      {isShown.value ? (
        <pre tabIndex={0} role="region" aria-label={name}>
          {isSecret ? decoded(value) : value}
        </pre>
      ) : (
        <pre class="muted">••••••••</pre>
      )}
    </div>
  );
}

function decoded(value: string): string {
  try {
    const bytes = Uint8Array.from(atob(value), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}
