// The object as YAML, with managedFields folded away.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { KubeObject } from '../api/api.ts';
import type { Kind } from '../model/kinds.ts';
import { t } from '../text.ts';

export function YamlTab({ object }: { kind: Kind; object: KubeObject }) {
  const withManaged = useSignal(false);
  const text = useSignal('');
  useEffect(() => {
    void import('../model/yaml.ts').then(({ toYaml }) => {
      text.value = toYaml(object, { managedFields: withManaged.value });
    });
  }, [object, withManaged.value, text]);
  return (
    <div class="yaml-view">
      <label class="check-label">
        <input
          type="checkbox"
          checked={withManaged.value}
          onChange={({ currentTarget }) => (withManaged.value = currentTarget.checked)}
        />
        {t('showManagedFields')}
      </label>
      <pre class="yaml">{text.value}</pre>
    </div>
  );
}
