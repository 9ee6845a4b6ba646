// /openapi/v2: all kinds in one document. The built-in part is slow to make and never changes; each definition's part
// is made once. So a change only joins texts.

import { setImmediate } from 'node:timers/promises';
import { builtinKinds, type Documentation, type Kind, type KindRegistry, kubernetesVersion } from '../../api/api.ts';
import { preparePublished } from './custom-schema.ts';
import { generalOperations } from './general-operations.ts';
import { encodeAround, encodeEntry, encodeMessage } from './gnostic.ts';
import { documentMessage, parameterMessage, pathItemMessage, schemaMessage } from './gnostic-v2.ts';
import { addKind, addPath, emptyParts, nameGroups, type Parts, sortedByName } from './openapi-parts.ts';

/** One form of a set of parts, ready to be joined with others. */
interface Section<T> {
  readonly paths: readonly T[];
  readonly schemas: readonly T[];
  readonly parameters: ReadonlyMap<string, T>;
}

interface Format<T> {
  path(name: string, value: object): T;
  schema(name: string, value: object): T;
  parameter(name: string, value: object): T;
  join(sections: readonly Section<T>[], parameters: readonly T[]): Buffer;
}

const head = {
  swagger: '2.0',
  info: { title: 'Kubernetes', version: kubernetesVersion.gitVersion },
  securityDefinitions: {
    BearerToken: { description: 'Bearer Token authentication', in: 'header', name: 'authorization', type: 'apiKey' },
  },
  security: [{ BearerToken: [] }],
};

const member = (name: string, value: object) => `${JSON.stringify(name)}:${JSON.stringify(value)}`;
const pathsTag = 8;
const definitionsTag = 9;
const parametersTag = 10;

export const jsonFormat: Format<string> = {
  path: member,
  schema: member,
  parameter: member,
  join: (sections, parameters) => {
    const all = (part: 'paths' | 'schemas') =>
      sections
        .map((section) => section[part].join(','))
        .filter(Boolean)
        .join(',');
    const { swagger, info, ...rest } = head;
    const start = JSON.stringify({ swagger, info }).slice(0, -1);
    const end = JSON.stringify(rest).slice(1);
    return Buffer.from(
      `${start},"paths":{${all('paths')}},"definitions":{${all('schemas')}},"parameters":{${parameters.join(',')}},${end}`,
    );
  },
};

export const protobufFormat: Format<Buffer> = {
  path: (name, value) => encodeEntry(2, name, pathItemMessage, value),
  schema: (name, value) => encodeEntry(1, name, schemaMessage, value),
  parameter: (name, value) => encodeEntry(1, name, parameterMessage, value),
  join: (sections, parameters) =>
    Buffer.concat([
      encodeMessage(documentMessage, head),
      ...encodeAround(
        pathsTag,
        sections.flatMap(({ paths }) => paths),
      ),
      ...encodeAround(
        definitionsTag,
        sections.flatMap(({ schemas }) => schemas),
      ),
      ...encodeAround(parametersTag, parameters),
    ]),
};

/** The parts of the document by set of kinds, kept while the set is the same. */
export class Sections<T> {
  readonly #format: Format<T>;
  readonly #custom = new WeakMap<Kind, Section<T>>();
  #builtin: Promise<Section<T>> | undefined;

  constructor(format: Format<T>) {
    this.#format = format;
  }

  async document(kinds: KindRegistry, docs: Documentation): Promise<Buffer> {
    const sections = [await (this.#builtin ??= this.#ofBuiltin(docs))];
    for (const kind of kinds.all()) {
      if (kind.custom) sections.push(await this.#ofCustom(kind, docs));
    }
    const parameters = new Map(sections.flatMap((section) => [...section.parameters]));
    return this.#format.join(sections, [...parameters.values()]);
  }

  /** Others get their turn in between: all kinds together take a third of a second. */
  async #ofBuiltin(docs: Documentation): Promise<Section<T>> {
    const parts = emptyParts();
    const versions = new Map<string, string[]>();
    for (const { group, version } of builtinKinds()) {
      const list = versions.get(group) ?? [];
      if (!list.includes(version)) versions.set(group, [...list, version]);
    }
    for (const item of generalOperations(versions)) addPath(parts, item, 2, docs);
    for (const kind of builtinKinds()) {
      addKind(parts, kind, 2, docs);
      await setImmediate();
    }
    nameGroups(parts, versions);
    return this.#write(parts);
  }

  async #ofCustom(kind: Kind, docs: Documentation): Promise<Section<T>> {
    let section = this.#custom.get(kind);
    if (!section) {
      const parts = emptyParts();
      await preparePublished(kind, 2);
      addKind(parts, kind, 2, docs);
      // The document already has the built-in types.
      const own = Object.entries(parts.schemas).filter(([name]) => !name.startsWith('io.k8s.api'));
      section = await this.#write({ ...parts, schemas: Object.fromEntries(own) });
      this.#custom.set(kind, section);
    }
    return section;
  }

  async #write(parts: Parts): Promise<Section<T>> {
    const { path, schema, parameter } = this.#format;
    const each = async (map: Record<string, object>, make: (name: string, value: object) => T): Promise<T[]> => {
      const made: T[] = [];
      for (const [name, value] of sortedByName(map)) {
        made.push(make(name, value));
        if (made.length % 50 === 0) await setImmediate();
      }
      return made;
    };
    return {
      paths: await each(parts.paths, path),
      schemas: await each(parts.schemas, schema),
      parameters: new Map(sortedByName(parts.parameters).map(([name, value]) => [name, parameter(name, value)])),
    };
  }
}
