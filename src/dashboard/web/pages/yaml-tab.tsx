// The object as YAML, to read or to edit.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { KubeObject } from '../api/api.ts';
import type { Kind } from '../model/kinds.ts';
import { moment } from '../past/moment.ts';
import { query, setQuery } from '../router.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { report } from '../ui/toasts.tsx';
import { EditYaml } from './edit-yaml.tsx';

interface Props {
  readonly kind: Kind;
  readonly object: KubeObject;
}

export function YamlTab({ kind, object }: Props) {
  const canEdit = kind.verbs.includes('update') && !moment.value;
  if (canEdit && query.value.get('edit') === '1') return <EditYaml kind={kind} object={object} />;
  return <ReadYaml object={object} canEdit={canEdit} />;
}

function ReadYaml({ object, canEdit }: { object: KubeObject; canEdit: boolean }) {
  const withManaged = useSignal(false);
  const text = useSignal('');
  useEffect(() => {
    void import('../model/yaml.ts').then(({ toYaml }) => {
      text.value = toYaml(object, { managedFields: withManaged.value });
    });
  }, [object, withManaged.value, text]);
  return (
    <div class="yaml-view">
      <div class="toolbar">
        {canEdit && (
          <button type="button" class="primary" onClick={() => setQuery({ edit: '1' })}>
            <Icon name="edit" />
            {t('edit')}
          </button>
        )}
        <button
          type="button"
          onClick={() => void navigator.clipboard.writeText(text.value).then(() => report(t('copied')))}
        >
          <Icon name="copy" />
          {t('copy')}
        </button>
        <span class="grow" />
        <label class="check-label">
          <input
            type="checkbox"
            checked={withManaged.value}
            onChange={({ currentTarget }) => (withManaged.value = currentTarget.checked)}
          />
          {t('showManagedFields')}
        </label>
      </div>
      <pre class="yaml" tabIndex={0} role="region" aria-label="YAML">
        {text.value}
      </pre>
    </div>
  );
}
