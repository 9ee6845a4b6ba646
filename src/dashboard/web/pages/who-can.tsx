// Subjects that may do something, with the binding and the role that allow it.

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fieldsIn, listIn } from '../../../machinery/parsed.ts';
import { getJson } from '../api/api.ts';
import { kinds } from '../api/catalog.ts';
import { kindId } from '../model/kinds.ts';
import { type Grant, type Question, type RbacObjects, whoCan } from '../model/who-can.ts';
import { links, query, setQuery } from '../router.ts';
import { namespace } from '../settings.ts';
import { t } from '../text.ts';

const root = '/apis/rbac.authorization.k8s.io/v1';
const lists = {
  roles: 'roles',
  clusterRoles: 'clusterroles',
  roleBindings: 'rolebindings',
  clusterRoleBindings: 'clusterrolebindings',
} as const;
type ListName = keyof typeof lists;

const verbs = [
  ...['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'],
  ...['impersonate', 'bind', 'escalate', 'approve', 'sign'],
];

interface Loaded extends RbacObjects {
  /** Lists that the user may not read, with the reason. */
  readonly missing: readonly { readonly list: string; readonly message: string }[];
}

export function WhoCanPage() {
  const question = questionIn(query.value);
  const loaded = useRbac(question.namespace);
  return (
    <section class="tool-page" aria-label={t('whoCan')}>
      <header class="page-head">
        <h1 class="page-title">{t('whoCan')}</h1>
        <span class="muted">{t('whoCanLead')}</span>
      </header>
      <QuestionForm question={question} />
      {loaded?.missing.map(({ list, message }) => (
        <p key={list} class="notice busy" role="alert">
          {t('whoCanMissing', { list })} <span class="muted">{message}</span>
        </p>
      ))}
      {!loaded && <p class="muted pad">{t('loading')}</p>}
      {loaded && <Grants grants={whoCan(question, loaded)} isWhole={loaded.missing.length === 0} />}
    </section>
  );
}

function questionIn(search: URLSearchParams): Question {
  const id = search.get('resource') ?? 'pods';
  const [path, ...group] = id.split('.');
  return {
    verb: search.get('verb') ?? 'get',
    ...{ group: group.join('.'), resource: path },
    namespace: search.get('in') ?? namespace.value,
    name: search.get('name') ?? '',
  };
}

/** With their subresources, as RBAC names them. */
const resourceIds = (): string[] =>
  kinds.value.flatMap((kind) =>
    ['', ...kind.subresources.map((sub) => `/${sub}`)].map((sub) =>
      kind.group ? `${kind.resource}${sub}.${kind.group}` : kind.resource + sub,
    ),
  );

function QuestionForm({ question: { verb, group, resource, namespace: place, name } }: { question: Question }) {
  const id = group ? `${resource}.${group}` : resource;
  const field = (label: string, value: string, key: string, list?: string, placeholder?: string) => (
    <label class="question-field">
      <span class="muted small">{label}</span>
      <input
        value={value}
        list={list}
        placeholder={placeholder}
        spellcheck={false}
        onChange={({ currentTarget }) => setQuery({ [key]: currentTarget.value.trim() })}
      />
    </label>
  );
  return (
    <div class="question">
      {field(t('verb'), verb, 'verb', 'who-verbs')}
      {field(t('resource'), id, 'resource', 'who-resources')}
      {field(t('namespace'), place, 'in', undefined, t('allNamespaces'))}
      {field(t('objectName'), name, 'name', undefined, t('any'))}
      <datalist id="who-verbs">
        {verbs.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <datalist id="who-resources">
        {resourceIds().map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </div>
  );
}

function Grants({ grants, isWhole }: { grants: readonly Grant[]; isWhole: boolean }) {
  if (grants.length === 0) return <p class="muted pad">{t(isWhole ? 'whoCanNone' : 'whoCanNoneFound')}</p>;
  return (
    <div class="table-scroll">
      <table class="tool-table stacked">
        <thead>
          <tr>
            {(['subject', 'binding', 'role'] as const).map((one) => (
              <th key={one} scope="col">
                {t(one)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {grants.map((grant, index) => (
            <GrantRow key={index} grant={grant} />
          ))}
        </tbody>
      </table>
      <p class="muted table-note">{t('whoCanOthers')}</p>
    </div>
  );
}

const GrantRow = ({ grant: { subject, binding, role, names } }: { grant: Grant }) => (
  <tr>
    <th scope="row">
      <span class="muted small">{subject.kind} </span>
      {subject.kind === 'ServiceAccount' ? (
        <a href={links.object('serviceaccounts', subject.namespace, subject.name)}>
          {subject.namespace}/{subject.name}
        </a>
      ) : (
        subject.name
      )}
    </th>
    <td>
      <RbacLink {...binding} />
    </td>
    <td>
      <RbacLink {...role} />
      {names.length > 0 && <p class="muted small">{t('whoCanNames', { names: names.join(', ') })}</p>}
    </td>
  </tr>
);

function RbacLink({ kind, namespace: place, name }: Grant['role']) {
  const found = kinds.value.find((one) => one.group === 'rbac.authorization.k8s.io' && one.kind === kind);
  return (
    <>
      <span class="muted small">{kind} </span>
      {found ? <a href={links.object(kindId(found), place, name)}>{name}</a> : name}
    </>
  );
}

function useRbac(place: string): Loaded | undefined {
  const loaded = useSignal<Loaded | undefined>(undefined);
  useEffect(() => {
    const stop = new AbortController();
    const scope = place ? `/namespaces/${encodeURIComponent(place)}` : '';
    const missing: { list: string; message: string }[] = [];
    const read = async (name: ListName) => {
      const isNamespaced = name === 'roles' || name === 'roleBindings';
      // RoleBindings count in one namespace.
      if (isNamespaced && !place) return [];
      try {
        const list = await getJson(`${root}${isNamespaced ? scope : ''}/${lists[name]}`, { signal: stop.signal });
        return listIn(fieldsIn(list)['items']);
      } catch (error) {
        missing.push({ list: lists[name], message: error instanceof Error ? error.message : String(error) });
        return [];
      }
    };
    const names: readonly ListName[] = ['roles', 'clusterRoles', 'roleBindings', 'clusterRoleBindings'];
    void Promise.all(names.map(read)).then(([roles = [], clusterRoles = [], roleBindings = [], others = []]) => {
      if (!stop.signal.aborted)
        loaded.value = { roles, clusterRoles, roleBindings, clusterRoleBindings: others, missing };
    });
    return () => stop.abort();
  }, [place, loaded]);
  return loaded.value;
}
