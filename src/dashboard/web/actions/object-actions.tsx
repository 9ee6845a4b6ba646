// The actions of an object's page: those that its kind has.

import type { KubeObject } from '../api/api.ts';
import { type Kind, kindId } from '../model/kinds.ts';
import { go, links } from '../router.ts';
import { t } from '../text.ts';
import { Icon } from '../ui/icons.tsx';
import { askToDelete } from './delete.tsx';

export function ObjectActions({ kind, object }: { kind: Kind; object: KubeObject }) {
  const { name, namespace = '', uid = '' } = object.metadata;
  const leave = () => go(links.list(kindId(kind)));
  return (
    <div class="actions" role="toolbar" aria-label={name}>
      {kind.verbs.includes('delete') && (
        <button type="button" class="danger" onClick={() => askToDelete(kind, [{ key: uid, namespace, name }], leave)}>
          <Icon name="trash" />
          {t('delete')}
        </button>
      )}
    </div>
  );
}
