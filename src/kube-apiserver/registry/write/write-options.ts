// CreateOptions, UpdateOptions and PatchOptions, which have the same fields.
// https://kubernetes.io/docs/reference/using-api/api-concepts/#common-query-parameters

import { flat, TextCache } from '../../../machinery/collections/text-cache.ts';
import { failure } from '../../status.ts';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  readonly force: boolean;
  /** The options that were given, as admission sees them. */
  readonly given: GivenOptions;
}

interface GivenOptions {
  readonly dryRun?: readonly ['All'];
  readonly fieldManager?: string;
  readonly fieldValidation?: string;
}

/** Throws a 422 about all that is out of rule. `client` names the manager where the options do not. */
export function writeOptions(query: URLSearchParams, optionsKind: string, client: string): WriteOptions {
  const dryRun = query.getAll('dryRun');
  const manager = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  const faults = [...dryRunFaults(dryRun), ...managerFaults(manager), ...validationFaults(validation)];
  if (faults.length) throw invalidOptions(optionsKind, faults);
  return {
    dryRun: dryRun.length > 0,
    fieldManager: manager || managers.get(client),
    fieldValidation: (validation || 'Warn') as WriteOptions['fieldValidation'],
    force: query.get('force') === 'true',
    given: {
      ...(dryRun.length > 0 && { dryRun: ['All'] as const }),
      ...(manager && { fieldManager: manager }),
      ...(validation && { fieldValidation: validation }),
    },
  };
}

interface OptionFault {
  readonly reason: string;
  readonly field: string;
  readonly message: string;
}

export const dryRunFaults = (given: readonly string[]): OptionFault[] =>
  given.some((value) => value !== 'All')
    ? [
        {
          reason: 'FieldValueNotSupported',
          field: 'dryRun',
          message: `Unsupported value: ${JSON.stringify(given)}: supported values: "All"`,
        },
      ]
    : [];

function managerFaults(given: string): OptionFault[] {
  const field = 'fieldManager';
  const faults: OptionFault[] = [];
  if (Buffer.byteLength(given) > 128)
    faults.push({ reason: 'FieldValueTooLong', field, message: 'Too long: may not be more than 128 bytes' });
  const characters = /^[ -~]*$/.test(given) ? [] : [...given];
  for (const [index, character] of characters.entries()) {
    if (isPrintable(character)) continue;
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    const at = Buffer.byteLength(characters.slice(0, index).join(''));
    const message = `Invalid value: ${quoted(given)}: invalid character U+${code} (at position ${at})`;
    faults.push({ reason: 'FieldValueInvalid', field, message });
  }
  return faults;
}

/** Compiling the classes of Unicode takes 40 ms: most starts of a server do without. */
const isPrintable = (character: string): boolean => /[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(character);

/** A text as Go's `%q` writes it. */
const quoted = (text: string): string =>
  JSON.stringify(text).replace(
    /\\u00([01][0-9a-f])/g,
    (_, digits: string) => ({ '07': '\\a', '0b': '\\v' })[digits] ?? `\\x${digits}`,
  );

const validationFaults = (given: string): OptionFault[] =>
  ['', 'Ignore', 'Warn', 'Strict'].includes(given)
    ? []
    : [
        {
          reason: 'FieldValueNotSupported',
          field: 'fieldValidation',
          message: `Unsupported value: ${JSON.stringify(given)}: supported values: "", "Ignore", "Strict", "Warn"`,
        },
      ];

/** An apply requires a field manager, and only an apply can be forced. Throws a 422. */
export function checkPatchOptions(query: URLSearchParams, isApply: boolean): void {
  if (isApply && !query.get('fieldManager'))
    throw invalidOptions('PatchOptions', [
      { reason: 'FieldValueRequired', field: 'fieldManager', message: 'Required value: is required for apply patch' },
    ]);
  if (!isApply && query.get('force') !== null)
    throw invalidOptions('PatchOptions', [
      { reason: 'FieldValueForbidden', field: 'force', message: 'Forbidden: may not be specified for non-apply patch' },
    ]);
}

/** A 422 about the options of a request, in Kubernetes' form. */
export function invalidOptions(kind: string, causes: readonly OptionFault[]) {
  const texts = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))];
  return failure(
    422,
    'Invalid',
    `${kind}.meta.k8s.io "" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`,
    {
      group: 'meta.k8s.io',
      kind,
      causes: causes.map(({ reason, message, field }) => ({ reason, message, field })),
    },
  );
}

/** The program's name, without its version. One shared text, because thousands of objects hold it. */
const managers = new TextCache((agent) => flat(agent.split('/')[0].slice(0, 128)) || 'unknown');
