import { describe, expect, test } from 'vitest';
import { type Question, whoCan } from './who-can.ts';

const role = (name: string, rules: object[], namespace?: string) => ({ metadata: { name, namespace }, rules });
const binding = (name: string, roleRef: object, subjects: object[], namespace?: string) => ({
  metadata: { name, namespace },
  roleRef,
  subjects,
});
const user = (name: string) => ({ kind: 'User', name });
const read = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] };

const objects = {
  clusterRoles: [
    role('admin', [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]),
    role('reader', [read]),
    role('logs', [{ verbs: ['get'], apiGroups: [''], resources: ['*/log'] }]),
    role('one', [{ ...read, resourceNames: ['web'] }]),
    role('odd', ['x' as unknown as object, { verbs: 'get' }]),
  ],
  roles: [role('local', [{ verbs: ['delete'], apiGroups: [''], resources: ['pods'] }], 'shop'), null],
  clusterRoleBindings: [
    binding('admins', { kind: 'ClusterRole', name: 'admin' }, [{ kind: 'Group', name: 'system:masters' }]),
    binding('one', { kind: 'ClusterRole', name: 'one' }, [user('ann')]),
    binding('logs', { kind: 'ClusterRole', name: 'logs' }, [user('logger')]),
    binding('missing', { kind: 'ClusterRole', name: 'gone' }, [user('x')]),
    binding('odd', { kind: 'ClusterRole', name: 'odd' }, [user('odd')]),
  ],
  roleBindings: [
    binding(
      'readers',
      { kind: 'ClusterRole', name: 'reader' },
      [{ kind: 'ServiceAccount', name: 'bot', namespace: 'ci' }],
      'shop',
    ),
    binding('local', { kind: 'Role', name: 'local' }, [user('ben')], 'shop'),
    binding('local', { kind: 'Role', name: 'local' }, [user('eve')], 'other'),
    'x',
  ],
};

const ask = (question: Partial<Question>) =>
  whoCan({ verb: 'get', group: '', resource: 'pods', namespace: 'shop', name: '', ...question }, objects).map(
    ({ subject, binding: by, role: from, names }) =>
      `${subject.kind} ${subject.name} by ${by.kind} ${by.name} from ${from.kind} ${from.name}${names.length ? ` for ${names}` : ''}`,
  );

describe('who can', () => {
  const admins = 'Group system:masters by ClusterRoleBinding admins from ClusterRole admin';
  test.each<[string, Partial<Question>, string[]]>([
    [
      'a cluster role counts in a namespace by a RoleBinding',
      {},
      [
        admins,
        'ServiceAccount bot by RoleBinding readers from ClusterRole reader',
        'User ann by ClusterRoleBinding one from ClusterRole one for web',
      ],
    ],
    ['in all namespaces, RoleBindings do not count', { namespace: '', name: 'db' }, [admins]],
    [
      'a role of another namespace does not count',
      { verb: 'delete' },
      [admins, 'User ben by RoleBinding local from Role local'],
    ],
    [
      'a rule for names counts for these',
      { namespace: '', name: 'web' },
      [admins, 'User ann by ClusterRoleBinding one from ClusterRole one for web'],
    ],
    [
      'a subresource is not its resource',
      { resource: 'pods/log' },
      [admins, 'User logger by ClusterRoleBinding logs from ClusterRole logs'],
    ],
    ['another group', { group: 'apps', resource: 'deployments' }, [admins]],
  ])('%s', (_, question, expected) => expect(ask(question)).toEqual(expected));
});
