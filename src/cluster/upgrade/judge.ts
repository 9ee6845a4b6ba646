// The obstacles to an upgrade of a cluster to this program. The rules are those of Kubernetes' version skew policy:
// https://kubernetes.io/releases/version-skew-policy/

import { formatTime } from '../../api/api.ts';
import type { CertificateFile } from '../certificates/certificate-files.ts';
import type { StoredFacts } from './stored.ts';

export interface Finding {
  /** A problem must be solved before the upgrade. */
  readonly level: 'ok' | 'warning' | 'problem';
  readonly subject:
    | 'data directory'
    | 'program'
    | 'node'
    | 'server'
    | 'etcd'
    | 'certificate'
    | 'stored objects'
    | 'API';
  readonly text: string;
}

export interface Versions {
  readonly coracle: string;
  readonly kubernetes: string;
}

export interface DeprecatedUse {
  /** Such as endpoints, or cronjobs.batch. */
  readonly resource: string;
  readonly version: string;
}

export interface UpgradeFacts {
  readonly nowMs: number;
  /** The program that judges, and the format of data directories that it reads. */
  readonly program: Versions & { readonly format: number };
  readonly directory: string;
  /** Of the data directory; undefined: its mark is damaged. */
  readonly format: number | undefined;
  /** The program that ran last; undefined: it is not recorded. */
  readonly last: Versions | undefined;
  readonly certificates: readonly CertificateFile[];
  /** A text: the reason why the store was not read. */
  readonly stored: StoredFacts | string;
  /** Empty with an embedded store; without `version` a member does not answer. */
  readonly etcd: readonly { readonly name: string; readonly version?: string }[];
  /** Requested since the start; undefined: the cluster does not run, or its version does not report them. */
  readonly deprecated: readonly DeprecatedUse[] | undefined;
}

const dayMs = 86_400_000;
/** Running clusters renew certificates long before. */
const certificateAlarmMs = 30 * dayMs;
const authorityAlarmMs = 365 * dayMs;
const kubeletSkew = 3;
const serverSkew = 1;
const oldestEtcd = [3, 4] as const;

export function judgeUpgrade(facts: UpgradeFacts): readonly Finding[] {
  const { stored } = facts;
  const ofStored: readonly Finding[] =
    typeof stored === 'string'
      ? [warning('stored objects', `not checked: ${stored}`)]
      : [...nodeFindings(stored, facts.program), ...storedFindings(stored), ...customFindings(stored)];
  return [
    formatFinding(facts),
    programFinding(facts),
    ...etcdFindings(facts.etcd),
    ...certificateFindings(facts),
    ...ofStored,
    ...deprecatedFindings(facts.deprecated),
  ];
}

const ok = (subject: Finding['subject'], text: string): Finding => ({ level: 'ok', subject, text });
const warning = (subject: Finding['subject'], text: string): Finding => ({ level: 'warning', subject, text });
const problem = (subject: Finding['subject'], text: string): Finding => ({ level: 'problem', subject, text });

function formatFinding({ format, program, directory }: UpgradeFacts): Finding {
  if (format === program.format) return ok('data directory', `${directory} has the format ${format} of this program`);
  if (format === undefined)
    return problem('data directory', `${directory} has a damaged coracle.json: restore a backup`);
  const newer = format > program.format;
  return problem(
    'data directory',
    `${directory} has the format ${format}, and this program reads ${program.format}: ${newer ? 'a newer program wrote it, and there is no way back but a backup' : 'make a backup with the former program, and restore it with this one'}`,
  );
}

function programFinding({ last, program }: UpgradeFacts): Finding {
  const own = `${program.coracle} (Kubernetes ${program.kubernetes})`;
  if (!last) return warning('program', `the version that ran last is not recorded; this program is ${own}`);
  const text = `from ${last.coracle} (Kubernetes ${last.kubernetes}) to ${own}`;
  const minors = minorOf(program.kubernetes) - minorOf(last.kubernetes);
  if (minors < 0 || (minors === 0 && compare(numbersOf(program.coracle), numbersOf(last.coracle)) < 0))
    return problem('program', `${text}: a downgrade; stored objects may be unreadable, so restore a backup instead`);
  if (minors > 1) return problem('program', `${text} skips ${minors - 1} minor versions: upgrade one after the other`);
  return ok('program', text);
}

function nodeFindings({ nodes }: StoredFacts, { kubernetes }: Versions): Finding[] {
  return nodes.map(({ name, kubeletVersion, isServer }) => {
    const subject = isServer ? 'server' : 'node';
    const text = `${name} has ${kubeletVersion || 'no version yet'}`;
    if (!kubeletVersion) return warning(subject, `${text}: it never reported`);
    const behind = minorOf(kubernetes) - minorOf(kubeletVersion);
    if (behind < 0) return problem(subject, `${text}, newer than ${kubernetes}: upgrade the control plane to it first`);
    const most = isServer ? serverSkew : kubeletSkew;
    if (behind > most)
      return problem(subject, `${text}, more than ${most} minor versions behind ${kubernetes}: upgrade it first`);
    return ok(subject, behind === 0 ? text : `${text}, ${behind} behind, which is supported`);
  });
}

function storedFindings({ versions, unseen }: StoredFacts): Finding[] {
  const count = (number: number) => (number === 1 ? '1 object' : `${number} objects`);
  const findings = versions.flatMap(({ resource, apiVersion, count: number, isRead }) => {
    const text = `${count(number)} of ${resource} in ${apiVersion || 'no version'}`;
    if (isRead === undefined) return [warning('stored objects', `${text}, whose definition is gone: they stay unused`)];
    if (isRead) return [];
    const remedy = 'with the former program, read and write each ("kubectl get -o yaml | kubectl replace -f -")';
    return [problem('stored objects', `${text}, which this program does not serve: ${remedy}`)];
  });
  const total = versions.reduce((sum, { count: number }) => sum + number, 0);
  if (unseen > 0)
    findings.push(warning('stored objects', `${count(unseen)}, encrypted or in protobuf: versions not checked`));
  return findings.some(({ level }) => level === 'problem')
    ? findings
    : [ok('stored objects', `${count(total)} in versions that this program serves`), ...findings];
}

function customFindings({ customResources }: StoredFacts): Finding[] {
  return customResources.flatMap(({ name, versions, storageVersion, storedVersions }) => {
    const lost = storedVersions.filter((version) => !versions.includes(version));
    if (lost.length > 0)
      return [problem('API', `${name}: objects may be stored in ${lost.join(', ')}, which its definition lacks`)];
    const former = storedVersions.filter((version) => version !== storageVersion);
    return former.length > 0
      ? [warning('API', `${name}: objects may still be stored in ${former.join(', ')}; ${storageVersion} is current`)]
      : [];
  });
}

function deprecatedFindings(uses: UpgradeFacts['deprecated']): Finding[] {
  if (!uses) return [warning('API', 'the use of deprecated versions is not known: the cluster must run for it')];
  if (uses.length === 0) return [ok('API', 'no deprecated version was requested since the start')];
  return uses.map(({ resource, version }) =>
    warning('API', `clients request ${resource} in ${version}, which is deprecated: the audit log names them`),
  );
}

function etcdFindings(members: UpgradeFacts['etcd']): Finding[] {
  const answering = members.flatMap(({ version }) => (version === undefined ? [] : [version]));
  const minors = new Set(answering.map((version) => numbersOf(version).slice(0, 2).join('.')));
  const mixed =
    minors.size > 1 ? [warning('etcd', `members have different versions: ${[...minors].sort().join(', ')}`)] : [];
  const each = members.map(({ name, version }) => {
    if (version === undefined) return problem('etcd', `${name} does not answer: start it, or remove it`);
    if (compare(numbersOf(version).slice(0, 2), oldestEtcd) < 0)
      return problem('etcd', `${name} has ${version}, and ${oldestEtcd.join('.')} or newer is needed`);
    return ok('etcd', `${name} has ${version}`);
  });
  return [...each, ...mixed];
}

function certificateFindings({ certificates, nowMs }: UpgradeFacts): Finding[] {
  if (certificates.length === 0) return [warning('certificate', 'there are none yet')];
  const due = certificates.flatMap(({ file, isAuthority, notAfter }) => {
    const rest = notAfter - nowMs;
    const date = formatTime(notAfter);
    const remedy = isAuthority
      ? 'authorities cannot be renewed in place'
      : '"coracle certificates renew" makes a new one';
    if (rest <= 0) return [problem('certificate', `${file} expired at ${date}: ${remedy}`)];
    const alarmMs = isAuthority ? authorityAlarmMs : certificateAlarmMs;
    return rest < alarmMs ? [warning('certificate', `${file} expires at ${date}: ${remedy}`)] : [];
  });
  const first = Math.min(...certificates.map(({ notAfter }) => notAfter));
  return due.length > 0
    ? due
    : [ok('certificate', `${certificates.length} are valid; the first expires at ${formatTime(first)}`)];
}

/** Of v1.36.2+coracle or 0.1.0. */
const numbersOf = (text: string): number[] => (text.match(/\d+/g) ?? []).slice(0, 3).map(Number);

/** Minor versions since 0. */
function minorOf(version: string): number {
  const [major = 0, minor = 0] = numbersOf(version);
  return major * 1000 + minor;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((number, i) => number !== (b[i] ?? 0));
  return at < 0 ? 0 : a[at] - (b[at] ?? 0);
}
