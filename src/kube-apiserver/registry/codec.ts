// From bodies to objects and from stored bytes to objects.

import {
  type ApiObject,
  badRequest,
  canonical,
  canonicalizing,
  type DecodedBody,
  decodeValue as decodeParsed,
  decodeBody as decodeText,
  decodingBody,
  decodingValue,
  type Kind,
  unsupportedMediaType,
} from '../../api/api.ts';
import { fieldsOf, isFields } from '../../machinery/parsed.ts';
import { parseExact } from '../../machinery/text/exact-json.ts';
import { textOf, type Value } from '../../store/store.ts';
import type { Environment } from '../environment.ts';
import { breathe, inSteps, isHuge, isLarge } from '../heavy.ts';
import { ProtobufError, protobufMediaType, readProtobuf } from '../protobuf/protobuf.ts';
import type { Body } from '../request/body.ts';
import { readProtobufElsewhere } from '../threads/large-objects.ts';
import { parsed } from '../threads/parsing.ts';
import type { Item } from '../watch-cache/item.ts';
import type { Operation } from './operation.ts';
import type { WriteOptions } from './write/write-options.ts';

const text = new TextDecoder();

/** The maximum request size, so no object written unchanged is larger. */
const largestWritten = 3 << 20;

/** Stored objects get today's defaults, as in Kubernetes. `kind` is any version of the resource. */
export function decodeStored(server: Environment, value: Value, kind: Kind): ApiObject {
  const object = parseExact(textOf(value)) as ApiObject | null;
  if (!object || !isFields(object.metadata)) throw new Error('it is no object with metadata');
  const [group, version] = groupVersion(object.apiVersion ?? 'v1');
  const stored = server.kinds.byKind(group, version, object.kind ?? '') ?? kind;
  if (stored.readStored) return ordered(stored.readStored(object));
  stored.strategy.setDefaults?.(object);
  // An older version without bounds on quantities wrote some of a hundred megabytes.
  return ordered(value.length > largestWritten ? canonical(stored.schema, object) : object);
}

/** Reserves resourceVersion's place in the order of fields. */
export function ordered(object: ApiObject): ApiObject {
  const metadata: Record<string, unknown> = {};
  const sorted = Object.keys(object)[0] !== 'kind';
  for (const [field, value] of Object.entries(object.metadata)) {
    if (field === 'resourceVersion') continue;
    if (sorted && field === 'uid') metadata.resourceVersion = undefined;
    metadata[field] = value;
    if (!sorted && field === 'uid') metadata.resourceVersion = undefined;
  }
  fieldsOf(object).metadata = metadata;
  return object;
}

/** A copy with its fields in the order in which Kubernetes writes them, and resourceVersion's place prepared. */
export const inOrder = (kind: Kind, object: ApiObject): ApiObject => ordered(canonical(kind.schema, object));

/**
 * The last step before storing. Strategies of built-in kinds have put the fields in order already, unless something was
 * added since.
 */
export async function finished({ work, kind }: Operation, object: ApiObject, touched: boolean): Promise<ApiObject> {
  if (!touched && !kind.custom) return ordered({ ...object });
  return isHuge(work) ? ordered(await inSteps(work, canonicalizing(kind.schema, object))) : inOrder(kind, object);
}

export function groupVersion(apiVersion: string): [group: string, version: string] {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? ['', apiVersion] : [apiVersion.slice(0, slash), apiVersion.slice(slash + 1)];
}

export const apiVersionOf = (kind: { group: string; version: string }): string =>
  kind.group ? `${kind.group}/${kind.version}` : kind.version;

const converted = new WeakMap<Item, Map<Kind, ApiObject>>();

/** The cached object in the requested version. */
export function served(kind: Kind, item: Item): ApiObject {
  if (!kind.fromStorage) return item.object;
  let versions = converted.get(item);
  if (!versions) converted.set(item, (versions = new Map()));
  const cached = versions.get(kind);
  if (cached) return cached;
  const object = kind.fromStorage(item.object) as ApiObject;
  versions.set(kind, object);
  return object;
}

/** Converts these items by webhook, where there is one, for `served`. Throws the webhook's error. */
export async function prepareServed(kind: Kind, items: readonly Item[]): Promise<void> {
  if (!kind.prepareConversion) return;
  const due = items.filter((item) => !converted.get(item)?.has(kind));
  // An item may drop its object: the object that is converted is the one read here.
  const objects = due.map((item) => item.object);
  await kind.prepareConversion(objects, kind.version);
  for (const [i, item] of due.entries()) {
    const versions = converted.get(item) ?? new Map<Kind, ApiObject>();
    converted.set(
      item,
      versions.set(kind, kind.fromStorage ? (kind.fromStorage(objects[i]) as ApiObject) : objects[i]),
    );
  }
}

/** Converts this object by webhook for a later call of `toStorage`. */
export async function prepareStored(kind: Kind, object: ApiObject): Promise<void> {
  await kind.prepareConversion?.([object], kind.storageVersion);
}

/** True when clients of this kind get the cached bytes. */
export const sharesBytes = (kind: Kind): boolean => !kind.fromStorage;

/** Bodies that are no object of a kind, such as options: the data, without checks. */
export async function looseBody(body: Body | undefined): Promise<unknown> {
  if (!body) return undefined;
  if ('object' in body) return body.object;
  if (body.mediaType === protobufMediaType) return objectOfProtobuf(body.bytes);
  const source = text.decode(body.bytes);
  return source.trim() ? (await parseLoosely(source, encodingOf(body))).value : undefined;
}

function objectOfProtobuf(bytes: Buffer): object {
  try {
    return readProtobuf(bytes);
  } catch (error) {
    throw error instanceof ProtobufError ? badRequest(error.message) : error;
  }
}

interface Loose {
  readonly value: unknown;
  /** Fields that stood twice, as texts of warnings. */
  readonly duplicates: readonly string[];
}

/** Decodes data of an unknown kind. Throws a BadRequest. */
export async function parseLoosely(source: string, encoding: 'json' | 'yaml'): Promise<Loose> {
  const read = await parsed(source, encoding);
  try {
    const { value, duplicates } = read();
    return { value, duplicates: encoding === 'json' ? [] : duplicates };
  } catch (error) {
    const { message } = error as Error;
    if (encoding === 'json') throw badRequest(`couldn't get version/kind; json parse error: ${message}`);
    throw badRequest(`error decoding YAML: error converting YAML to JSON: ${message}`);
  }
}

function encodingOf({ mediaType }: Extract<Body, { bytes: Buffer }>): 'json' | 'yaml' {
  if (mediaType === 'application/yaml') return 'yaml';
  if (!mediaType || mediaType === 'application/json') return 'json';
  throw unsupportedMediaType(
    'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  );
}

/** A body and how it is to be read. */
export interface Content {
  readonly body: Body | undefined;
  readonly options: Pick<WriteOptions, 'fieldValidation'>;
}

/** The expected type of a body: a kind, or the document of a subresource. */
type Wanted = Pick<Kind, 'group' | 'version' | 'kind' | 'schema'>;

/** Decodes the body as an object of `kind`: checks its shape, and handles unknown fields as requested. */
export async function decodeShape(
  operation: Operation,
  { body, options }: Content,
  kind: Wanted = operation.kind,
): Promise<ApiObject> {
  const decoded = !body
    ? decodeText('', 'json', kind)
    : 'object' in body
      ? decodeParsed(body.object, kind)
      : body.mediaType === protobufMediaType
        ? await decodeProtobuf(operation, body.bytes, kind)
        : await decodeInSteps(operation, text.decode(body.bytes), encodingOf(body), kind);
  return accept(operation, decoded, options) as ApiObject;
}

async function decodeProtobuf({ work }: Operation, bytes: Buffer, kind: Wanted): Promise<DecodedBody> {
  if (!isLarge(work)) return decodeParsed(objectOfProtobuf(bytes), kind);
  return inSteps(work, decodingValue(await readProtobufElsewhere(bytes), kind, { faults: [] }, true));
}

async function decodeInSteps({ work }: Operation, source: string, encoding: 'json' | 'yaml', kind: Wanted) {
  const read = await parsed(source, encoding);
  await breathe(work);
  return inSteps(work, decodingBody(source, encoding, kind, read, isHuge(work)));
}

/** The same with the kind's defaults filled in. */
export async function decodeBody(operation: Operation, content: Content): Promise<ApiObject> {
  const shaped = await decodeShape(operation, content);
  await breathe(operation.work);
  const object = await complete(operation, operation.kind, shaped);
  operation.audit?.requestObject(object);
  return object;
}

export async function decodeValue(
  operation: Operation,
  kind: Kind,
  value: object,
  options: Pick<WriteOptions, 'fieldValidation'>,
  faults: readonly string[] = [],
  keepsNulls = false,
): Promise<ApiObject> {
  const { work } = operation;
  const decoded = await inSteps(work, decodingValue(value, kind, { faults, keepsNulls }, isHuge(work)));
  return complete(operation, kind, accept(operation, decoded, options));
}

async function complete({ work }: Operation, { strategy }: Kind, object: ApiObject): Promise<ApiObject> {
  object.metadata ??= {} as ApiObject['metadata'];
  if (isHuge(work) && strategy.settingDefaults) await inSteps(work, strategy.settingDefaults(object));
  else strategy.setDefaults?.(object);
  return object;
}

function accept(
  { warnings }: Operation,
  { object, strictFaults, strictError }: DecodedBody,
  { fieldValidation }: Pick<WriteOptions, 'fieldValidation'>,
): ApiObject {
  if (strictError && fieldValidation === 'Strict') throw badRequest(strictError);
  if (fieldValidation === 'Warn') warnings.push(...strictFaults);
  return object;
}
