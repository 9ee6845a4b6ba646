// Decodes a request body into an object: JSON or YAML, the expected kind, types, unknown and duplicate fields.

import { type Fields, fieldsOf, isFields, textIn } from '../machinery/parsed.ts';
import { QuantityError } from '../machinery/quantity.ts';
import type { Schema } from '../machinery/schema.ts';
import { JsonSyntaxError, type ParsedJson, parseJson } from '../machinery/text/json.ts';
import { parseYaml, YamlError } from '../machinery/text/yaml.ts';
import { finish, type Steps } from '../machinery/time/steps.ts';
import { decode, decoding } from './decode.ts';
import { badRequest } from './errors.ts';
import type { ApiObject } from './kind.ts';
import { DecodeError } from './object.ts';
import { schemaKinds, schemaOfKind } from './schemas.ts';
import { isStoredForm, markStoredForm } from './stored-form.ts';

/** The expected content of a body. */
interface Wanted {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Schema;
  /** Made by a CustomResourceDefinition: the body must name its kind. */
  readonly custom?: boolean;
  readonly emptyFields?: 'validated' | 'counted';
}

type Encoding = 'json' | 'yaml';

/** Parses the text, or throws JsonSyntaxError or YamlError. */
export type ReadText = () => ParsedJson;

export const readText = (text: string, encoding: Encoding): ParsedJson =>
  encoding === 'yaml' ? parseYaml(text) : parseJson(text);

export interface DecodedBody {
  /** In canonical form, with `kind` and `apiVersion`. */
  readonly object: ApiObject;
  /** Faults of strict decoding, as texts of warnings: unknown and duplicate fields. */
  readonly strictFaults: readonly string[];
  /** The same faults as one message, for fieldValidation=Strict; undefined when there are none. */
  readonly strictError?: string;
}

/** Strict faults of the text itself. */
interface Faults {
  /** As texts of warnings. */
  readonly faults: readonly string[];
  /** The faults in a strict error, if the text differs. */
  readonly message?: string;
  /** Paths of duplicate fields in JSON, and the offsets of fields. */
  readonly duplicates?: readonly string[];
  readonly places?: ReadonlyMap<string, number>;
  /** Nulls of custom resources stay where there may be none. */
  readonly keepsNulls?: boolean;
}

const noFaults: Faults = { faults: [] };

/** Reads a request's body. Throws a BadRequest in Kubernetes' words. */
export const decodeBody = (text: string, encoding: Encoding, wanted: Wanted): DecodedBody =>
  finish(decodingBody(text, encoding, wanted, () => readText(text, encoding), false));

/** The same for a text that `read` parses, and in steps if it is large. */
export function* decodingBody(
  text: string,
  encoding: Encoding,
  wanted: Wanted,
  read: ReadText,
  isLarge: boolean,
): Steps<DecodedBody> {
  const parsed = parse(text, encoding, wanted, read);
  const value = parsed.value === null && !wanted.custom ? {} : parsed.value;
  if (!isFields(value))
    throw unrecognized(text, wanted, `couldn't get version/kind; json parse error: ${notAnObject(value)}`);
  return yield* decodingValue(value, wanted, parsed, isLarge);
}

/** The same for a value that was parsed already (in process, or the result of a patch). */
export const decodeValue = (value: object, wanted: Wanted): DecodedBody =>
  finish(decodingValue(value, wanted, noFaults, false));

/** The same with faults of the text, and in steps if it is large. */
export function* decodingValue(value: object, wanted: Wanted, given: Faults, isLarge: boolean): Steps<DecodedBody> {
  const { faults, message, duplicates, places, keepsNulls } = given;
  const { kind, version, apiVersion } = checkKind(fieldsOf(value), wanted);
  const cannot = (why: string) =>
    badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${wanted.kind}: ${why}`);
  try {
    const asked = [wanted.schema, value, wanted.emptyFields !== undefined, keepsNulls] as const;
    const decoded = isLarge ? yield* decoding(...asked) : decode(...asked);
    const object = decoded.object;
    const unknownFields = shownPaths(decoded.unknownFields);
    const unknown = unknownFields.map((path) => `unknown field ${JSON.stringify(path)}`);
    const all =
      duplicates && places && !wanted.custom
        ? inTextOrder(shownPaths(duplicates), unknownFields, places)
        : [...faults, ...unknown];
    const typed = (wanted.custom ? object : withType(fieldsOf(object), wanted, apiVersion)) as ApiObject;
    if (isStoredForm(object)) markStoredForm(typed, true);
    const strict = message ? [message, ...unknown] : all;
    return {
      object: typed,
      strictFaults: all,
      ...(all.length && { strictError: cannot(`strict decoding error: ${strict.join(', ')}`).message }),
    };
  } catch (error) {
    if (error instanceof DecodeError || error instanceof QuantityError) throw cannot(error.message);
    throw error;
  }
}

/** Characters of all paths in one answer: keys may be long, and each field below one has it in its path. */
const mostPathCharacters = 1 << 18;

/** The first paths, at least one. */
function shownPaths(paths: readonly string[]): readonly string[] {
  let left = mostPathCharacters;
  return paths.filter((path, index) => (left -= path.length) >= 0 || index === 0);
}

/** Duplicate and unknown fields in text order; the content of unknown fields is skipped. */
function inTextOrder(
  duplicates: readonly string[],
  unknown: readonly string[],
  places: ReadonlyMap<string, number>,
): string[] {
  const isInside = (path: string) =>
    unknown.some((field) => path.startsWith(`${field}.`) || path.startsWith(`${field}[`));
  const told = [
    ...duplicates.filter((path) => !isInside(path)).map((path) => ({ path, fault: 'duplicate' })),
    ...unknown.map((path) => ({ path, fault: 'unknown' })),
  ];
  const place = ({ path }: { path: string }) => places.get(path) ?? Number.POSITIVE_INFINITY;
  told.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
  return told.map(({ path, fault }) => `${fault} field ${JSON.stringify(path)}`);
}

function withType(object: Fields, wanted: Wanted, apiVersion: string): Fields {
  return 'kind' in (wanted.schema.properties ?? {})
    ? { ...object, kind: wanted.kind, apiVersion, ...omit(object) }
    : object;
}

/** `kind` and `apiVersion` come first even if the body lacked them. */
const omit = ({ kind: _kind, apiVersion: _apiVersion, ...rest }: Fields) => rest;

/** The body's kind and version, or those of the path if the body has none. */
function checkKind(value: Fields, wanted: Wanted): { kind: string; version: string; apiVersion: string } {
  const wantedVersion = wanted.group ? `${wanted.group}/${wanted.version}` : wanted.version;
  for (const field of ['apiVersion', 'kind'] as const)
    if (value[field] !== undefined && value[field] !== null && typeof value[field] !== 'string')
      throw unrecognizedValue(wanted, value, field);
  if (wanted.custom) return checkCustomKind(value, wanted, wantedVersion);
  const apiVersion = textIn(value['apiVersion']) || wantedVersion;
  const kind = textIn(value['kind']) || wanted.kind;
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  if (apiVersion === wantedVersion && kind === wanted.kind) return { kind, version, apiVersion };
  const cannot = (why: string) =>
    badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${wanted.kind}: ${why}`);
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
  if (!(`${group}/${version}/${kind}` in schemaKinds()))
    throw cannot(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    );
  const other = schemaOfKind(group, version, kind);
  // Decodes the body as its stated kind before rejecting the kind.
  if (other) tryDecode(other, value, cannot);
  const internal = (wanted.group || 'core').split('.')[0];
  throw cannot(`converting (${version}.${kind}) to (${internal}.${wanted.kind}): unknown conversion`);
}

function tryDecode(schema: Schema, value: unknown, cannot: (why: string) => Error): void {
  try {
    decode(schema, value);
  } catch (error) {
    if (error instanceof DecodeError || error instanceof QuantityError) throw cannot(error.message);
    throw error;
  }
}

/** Custom resources are not defaulted here; validation rejects a different kind. */
function checkCustomKind(value: Fields, wanted: Wanted, wantedVersion: string) {
  if (!value['kind']) {
    const text = JSON.stringify(value);
    throw badRequest(
      `the object provided is unrecognized (must be of type ${wanted.kind}): Object 'Kind' is missing in '${text}' (${text})`,
    );
  }
  if (value['apiVersion'] !== wantedVersion)
    throw badRequest(
      `the API version in the data (${value['apiVersion'] ?? ''}) does not match the expected API version (${wantedVersion})`,
    );
  return { kind: value['kind'] as string, version: wanted.version, apiVersion: wantedVersion };
}

interface Parsed extends Faults {
  readonly value: unknown;
}

function parse(text: string, encoding: Encoding, wanted: Wanted, read: ReadText): Parsed {
  try {
    const { value, duplicates, places } = read();
    if (encoding === 'yaml') {
      const message = duplicates.length ? `yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}` : undefined;
      return { value, faults: duplicates, ...(message && { message }) };
    }
    const faults = duplicateFaults(duplicates);
    return places ? { value, faults, duplicates, places } : { value, faults };
  } catch (error) {
    if (error instanceof YamlError) throw unrecognized(text, wanted, error.message);
    if (error instanceof JsonSyntaxError)
      throw unrecognized(text, wanted, `couldn't get version/kind; json parse error: ${error.message}`);
    throw error;
  }
}

export const duplicateFaults = (duplicates: readonly string[]): string[] =>
  shownPaths(duplicates).map((path) => `duplicate field ${JSON.stringify(path)}`);

const typeMeta =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

/** The fault of a body that is no object. */
export function notAnObject(value: unknown): string {
  const type = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${type} into Go value of type ${typeMeta}`;
}

function unrecognizedValue(wanted: Wanted, value: Fields, field: 'apiVersion' | 'kind') {
  const type = Array.isArray(value[field]) ? 'array' : typeof value[field] === 'boolean' ? 'bool' : typeof value[field];
  const name = field === 'kind' ? 'kind' : 'apiVersion';
  return unrecognized(
    JSON.stringify(value),
    wanted,
    `couldn't get version/kind; json parse error: json: cannot unmarshal ${type} into Go struct field .${name} of type string`,
  );
}

function unrecognized(text: string, wanted: Wanted, why: string) {
  return badRequest(`the object provided is unrecognized (must be of type ${wanted.kind}): ${why} (${summary(text)})`);
}

/** The first thirty bytes: as text if it may be JSON, otherwise in hex. */
function summary(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length === 0) return '<empty>';
  if (text.startsWith('{')) {
    if (bytes.length <= 30) return text;
    return `${new TextDecoder().decode(bytes.slice(0, 30))} ...`;
  }
  const hex = [...bytes.slice(0, 30)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > 30 ? `${hex} ...` : hex;
}
