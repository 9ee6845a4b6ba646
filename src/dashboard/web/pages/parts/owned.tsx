// The tree of the objects that an object owns.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { KubeObject } from '../../api/api.ts';
import { type Owned, ownedBy } from '../../api/owned.ts';
import { type Kind, kindId } from '../../model/kinds.ts';
import { links } from '../../router.ts';
import { t } from '../../text.ts';
import { whileVisible } from '../../ui/poll.ts';
import { Part } from './part.tsx';

const refreshMs = 5_000;

export function OwnedPart({ kind, object }: { kind: Kind; object: KubeObject }) {
  const owned = useSignal<readonly Owned[]>([]);
  const { namespace = '', uid = '' } = object.metadata;
  useEffect(() => {
    const load = async () => {
      owned.value = await ownedBy(kind, namespace, uid).catch(() => owned.value);
    };
    return whileVisible(refreshMs, load);
  }, [kind, namespace, uid, owned]);
  if (owned.value.length === 0) return null;
  return (
    <Part title={t('owned')}>
      <Level owner={uid} all={owned.value} />
    </Part>
  );
}

function Level({ owner, all }: { owner: string; all: readonly Owned[] }) {
  const here = all.filter((one) => one.owner === owner);
  if (here.length === 0) return null;
  return (
    <ul class="tree">
      {here.map(({ kind, namespace, name, uid }) => (
        <li key={uid}>
          <span class="tree-kind muted">{kind.kind}</span>{' '}
          <a href={links.object(kindId(kind), namespace, name)}>{name}</a>
          <Level owner={uid} all={all} />
        </li>
      ))}
    </ul>
  );
}
