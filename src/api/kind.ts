// The one declaration of a kind. Routes, discovery, OpenAPI, tables, pruning, patch behaviour and admission of its
// objects follow from this and from the schema. Names, scope, verbs, short names, subresources and column headings
// come from facts/discovery.json and facts/columns.json; a file under kinds/ adds the behaviour of one kind.

import type { CertificateRequest } from '../machinery/certificates/certificate-request.ts';
import type { Schema } from '../machinery/schema.ts';
import type { Steps } from '../machinery/time/steps.ts';
import type { FieldError } from './errors.ts';
import type { CustomResourceDefinition, ObjectMeta } from './generated/types.ts';
import type { QuotaRules } from './objects/quota-rules.ts';

/** The fields of every object: enough for code that works on any kind by its name, owners and conditions. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** An object of any kind with all its fields, for the generic machinery. */
export interface ApiObject extends KubeObject {
  spec?: unknown;
  status?: unknown;
}

export type Verb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch';

export interface SubresourceInfo {
  readonly name: string;
  readonly verbs: readonly string[];
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
}

/** One served version of a resource, as discovery describes it. */
export interface ResourceInfo {
  readonly group: string;
  readonly version: string;
  /** The plural, as in URLs. */
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly SubresourceInfo[];
}

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

/** Context of a strategy's functions. */
export interface StrategyContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly user: { readonly name: string };
  /** The caller brings a large object into canonical form itself, with `canonicalInSteps`. */
  readonly isLarge?: boolean;
  /** Why a certificate request's signature is not that of its key; undefined when it is. */
  verifyRequest?(request: CertificateRequest): string | undefined;
}

/** A field of options, as a query gives it; `path` is the rest of the request's path. */
export type OptionField = ConnectionField | 'number';
export type ConnectionField = 'flag' | 'text' | 'texts' | 'ports' | 'path';

/** The options of a subresource that connects a client with a program, or answers with a text. */
export interface SubresourceOptions<Field extends OptionField = OptionField> {
  /** Their type, such as PodExecOptions. */
  readonly type: string;
  /** In the order in which Kubernetes writes them. */
  readonly fields: Readonly<Record<string, Field>>;
}

/** The options of a deletion that decide over dependents. */
interface DeletionChoices {
  readonly propagationPolicy?: string;
  readonly orphanDependents?: boolean;
}

/** Checks the changes of metadata, or all of it, as for a new object: faults that both find are listed twice. */
export type MetadataCheck = 'change' | 'whole';

/** Functions of one kind's objects. They have methods' types, so that lists of all kinds accept those of each. */
type Value<T extends KubeObject> = { read(object: T): string }['read'];
/** `now` is in milliseconds. */
type Cell<T extends KubeObject> = { read(object: T, now: number): unknown }['read'];
type Change<T extends KubeObject> = { change(next: T): void }['change'];

/** The rules of one kind. Every function may be left out. Functions change the objects that they get in place. */
export interface Strategy<T extends KubeObject = ApiObject> {
  /** The faults of a name, or of a generateName (`prefix`). Default: a DNS subdomain (RFC 1123). */
  nameRule?(name: string, prefix: boolean): string[];
  /** Fills in defaults, before validation and again when a stored object is read. Must be idempotent. */
  setDefaults?(object: T): void;
  /** The same in steps, for large objects. */
  settingDefaults?(object: T): Steps<void>;
  /** Clears and sets fields that clients may not write, such as status. */
  prepareForCreate?(object: T, context: StrategyContext): void;
  prepareForUpdate?(next: T, old: T, context: StrategyContext): void;
  /** The faults of a new object, beside those of its metadata. */
  validate?(object: T): readonly FieldError[];
  /** All faults of an update, beside those of the metadata; left out, `next` is held to the rules for new objects. */
  validateUpdate?(next: T, old: T): readonly FieldError[];
  /** The metadata of a new object is checked only if the rest of it is valid. */
  metadataLast?: boolean;
  /** Finalizers without a domain are valid. */
  plainFinalizers?: boolean;
  /** The checks of an update's metadata beside the generic ones. Default: its changes. */
  metadataOnUpdate?: readonly MetadataCheck[];
  /** Warning headers for an accepted write. */
  warnings?(object: T, old?: T): readonly string[];
  /** Subresources with separate rules (status, scale, ephemeralcontainers, ...). */
  subresources?: {
    readonly [name: string]: Pick<Strategy<T>, 'prepareForUpdate' | 'validateUpdate' | 'warnings'> & {
      /** Fields beside the spec that the subresource does not write: their owners stay. */
      readonly resetFields?: readonly (readonly string[])[];
      /** The only fields that the subresource writes, if it is so; `*` is any item. */
      readonly writtenFields?: readonly (readonly string[])[];
    };
  };
  /** A client may create the object with its status, as kubelets do with their Node. */
  keepsStatusOnCreate?: boolean;
  /** False: create through PUT is refused with 404 (the default). */
  allowCreateOnUpdate?: boolean;
  /** False: an update must name its resourceVersion. Default true. */
  allowUnconditionalUpdate?: boolean;
  /** True while something beside metadata.finalizers holds a deleted object, such as a namespace's content. */
  isHeld?(object: T): boolean;
  /** The begin of a deletion neither counts as a generation nor adds finalizers of the garbage collector. */
  isDeletedPlainly?: boolean;
  /** A change that is written before a deletion begins. `now` is in milliseconds. */
  announceDeletion?(live: T, now: number): Change<T> | undefined;
  /** Sets the fields of a started deletion. */
  prepareForDelete?(next: T): void;
  /** Warnings about a deletion with these options. */
  deletionWarnings?(options: DeletionChoices): readonly string[];
  /** Seconds of grace that a delete gives when the client names none; undefined: deleted at once. */
  gracePeriodSeconds?(object: T, requested: number | undefined): number | undefined;
  /** The propagation of a delete without a propagationPolicy; unsupported: that of every delete. Default 'background'. */
  defaultPropagation?: 'orphan' | 'background' | 'unsupported';
}

type PodTemplatePath = '' | 'template' | 'spec.template' | 'spec.jobTemplate.spec.template';

export interface Kind<T extends KubeObject = ApiObject> extends ResourceInfo {
  /** Schema of the object in this version. */
  readonly schema: Schema;
  readonly strategy: Strategy<T>;
  readonly columns: readonly Column[];
  /** Cells of one row, in the order of `columns`. `now` is in milliseconds. */
  cells(object: T, now: number): readonly unknown[];
  /** Conditions of one row, such as that the object's work is done. */
  rowConditions?(object: T): readonly object[] | undefined;
  /** Values by which a fieldSelector may select, beside metadata.name and metadata.namespace. */
  readonly selectableFields: Readonly<Record<string, Value<T>>>;
  /** Whether generation counts changes of spec. */
  readonly hasGeneration: boolean;
  /**
   * Empty lists and maps differ from missing ones until the object is stored: for validation, or for the generation
   * too. Default: they are the same.
   */
  readonly emptyFields?: 'validated' | 'counted';
  /** The version that is stored. Objects of other versions pass through `toStorage` and `fromStorage`. */
  readonly storageVersion: string;
  /** Group, version and kind that discovery names as the stored form, where 1.36 names others than those above. */
  readonly storedAs?: string;
  /** The prefix in the store after /registry/: "pods", "minions", "services/specs". */
  readonly storagePrefix: string;
  toStorage?(object: T): ApiObject;
  fromStorage?(object: ApiObject): T;
  /**
   * Where a webhook converts: `toStorage` and `fromStorage` work for these objects once it resolved, and for no others.
   * Throws an ApiError when the webhook fails.
   */
  prepareConversion?(objects: readonly ApiObject[], version: string): Promise<void>;
  /** Custom resources: a copy of the stored object, in its own version, pruned and defaulted by today's schema. */
  readStored?(object: ApiObject): ApiObject;
  /** The schema of the version as its definition gives it. */
  readonly openApi?: unknown;
  /** A warning for every request for this version. */
  readonly deprecation?: string;
  /** Where a custom resource keeps the numbers of /scale, as JSON paths such as `.spec.replicas`. */
  readonly scalePaths?: {
    readonly specReplicasPath: string;
    readonly statusReplicasPath: string;
    readonly labelSelectorPath?: string;
  };
  /** True: objects are namespaces, so a request for one is a request in the namespace of its name. */
  readonly isNamespace?: boolean;
  /** True: a delete always responds with the object, never with a Status. */
  readonly answersDeleted?: boolean;
  /** Seconds after which an object expires, counted from its last write; undefined: it stays. */
  readonly keptSeconds?: number;
  /** True: a write allocates cluster IPs and node ports, and a deletion releases them. */
  readonly allocates?: boolean;
  /** True: spec.selector is a map of labels, as before there were expressions. */
  readonly selectsByMap?: boolean;
  /** The selectable field that indexes watches, so that each change is checked against few of them. */
  readonly watchedBy?: 'spec.nodeName';
  /** Selectable fields whose value is literally in the object's bytes: objects without it are skipped undecoded. */
  readonly literalFields?: readonly string[];
  /** Subresources that connect a client with a program. */
  readonly connections?: Readonly<Record<string, SubresourceOptions<ConnectionField>>>;
  /** Subresources that answer with a text. */
  readonly texts?: Readonly<Record<string, SubresourceOptions>>;
  /** The path of the pod that its objects are, or have as a template: '' or a path such as spec.template. */
  readonly podTemplate?: PodTemplatePath;
  /** How quotas count an object, beside `count/RESOURCE`. */
  readonly quota?: QuotaRules<T>;
  /** True for kinds that a CustomResourceDefinition made. */
  readonly custom?: boolean;
  /** That definition. */
  readonly definition?: CustomResourceDefinition;
  /** True for kinds that are answered and not stored (SubjectAccessReview, TokenReview, Binding). */
  readonly virtual: boolean;
}

/** The part of a kind that discovery and schema lack; one file under kinds/ each. */
export interface KindBehaviour<T extends KubeObject = ApiObject>
  extends Partial<
    Pick<
      Kind<T>,
      | 'strategy'
      | 'selectableFields'
      | 'hasGeneration'
      | 'emptyFields'
      | 'storageVersion'
      | 'storedAs'
      | 'storagePrefix'
      | 'toStorage'
      | 'fromStorage'
      | 'prepareConversion'
      | 'virtual'
      | 'deprecation'
      | 'isNamespace'
      | 'answersDeleted'
      | 'keptSeconds'
      | 'allocates'
      | 'selectsByMap'
      | 'watchedBy'
      | 'literalFields'
      | 'rowConditions'
      | 'connections'
      | 'texts'
      | 'podTemplate'
      | 'quota'
    >
  > {
  /** Cells by column name; `now` is in milliseconds. Name and Age have no function. */
  readonly cells?: Readonly<Record<string, Cell<T>>>;
}
