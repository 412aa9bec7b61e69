/**
 * Structural schemas as constants: the one source from which admission, defaults, pruning,
 * `fairlead validate` and the CRD files come (interface.md, CRDs; simulator.md A10).
 */
export type Schema =
  | ObjectSchema
  | MapSchema
  | ListSchema
  | TextSchema
  | IntegerSchema
  | BooleanSchema;

interface Common {
  /** Rules across fields; each is CEL for a CRD and the same judgement as a function. */
  readonly rules?: readonly Rule[];
  /** Filled in on create, read and after a patch where the field is absent. */
  readonly default?: unknown;
  readonly deprecated?: boolean;
}

/** An object with known fields; others are pruned. */
export interface ObjectSchema extends Common {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, Schema>>;
  readonly required: readonly string[];
}

/** An object with free keys, such as `matchLabels`. */
export interface MapSchema extends Common {
  readonly type: 'map';
  readonly values: Schema;
}

/** A list; bounds are inclusive. */
export interface ListSchema extends Common {
  readonly type: 'list';
  readonly items: Schema;
  /** `map`: entries are told apart by `keys`, and apply merges them one by one. */
  readonly listType: 'atomic' | 'set' | 'map';
  readonly keys: readonly string[];
  readonly itemsMin?: number;
  readonly itemsMax?: number;
}

/** A text; lengths are in code units, bounds inclusive. */
export interface TextSchema extends Common {
  readonly type: 'text';
  readonly options?: readonly string[];
  readonly pattern?: string;
  readonly lengthMin?: number;
  readonly lengthMax?: number;
  /** RFC 3339. Addresses are judged by rules, since CRD formats differ by release. */
  readonly format?: 'date-time';
}

/** A whole number; bounds are inclusive. */
export interface IntegerSchema extends Common {
  readonly type: 'integer';
  readonly format: 'int32' | 'int64';
  readonly min?: number;
  readonly max?: number;
}

/** True or false. */
export interface BooleanSchema extends Common {
  readonly type: 'boolean';
}

/**
 * One rule, judged only where the value has the schema's type. A server judges it by CEL where
 * that of Kubernetes 1.29 can say it at a bounded cost, else by keywords of OpenAPI: the CEL
 * functions for addresses need 1.31, and an unbounded list leaves no cost for a `matches`.
 */
export type Rule = CelRule | KeywordRule;

interface Judgement {
  readonly message: string;
  /** What a server judges, as a function. Pure; true means valid. */
  readonly check: (value: unknown) => boolean;
}

/** One entry of `x-kubernetes-validations`. */
export interface CelRule extends Judgement {
  /** CEL text; `self` is the value that the rule stands at. */
  readonly cel: string;
}

/** A rule in keywords of OpenAPI; servers answer with words of their own. */
export interface KeywordRule extends Judgement {
  readonly keywords: Keywords;
}

/** Value validation of OpenAPI v3, as far as structural schemas allow it below `allOf`. */
export interface Keywords {
  readonly anyOf?: readonly Keywords[];
  readonly not?: Keywords;
  readonly format?: 'ipv4' | 'ipv6' | 'cidr';
  readonly pattern?: string;
  readonly maxLength?: number;
}

/** A column of `kubectl get`; a date is printed as an age. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date' | 'integer';
  readonly jsonPath: string;
}

/** One version of a kind; all have one schema, so nothing is converted. */
export interface SchemaVersion {
  readonly name: 'v2' | 'v2alpha1';
  readonly served: boolean;
  readonly stored: boolean;
  readonly deprecated: boolean;
}

/** One custom resource definition. */
export interface KindSchema {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly versions: readonly SchemaVersion[];
  readonly columns: readonly PrinterColumn[];
  readonly statusSubresource: boolean;
  /** False where a manifest without `spec` is admitted, as Cilium admits it. */
  readonly specRequired: boolean;
  /** Of `spec` and `status`; apiVersion, kind and metadata are every object's. */
  readonly spec: ObjectSchema;
  readonly status: ObjectSchema | undefined;
}

/** A schema of an object. */
export function object(
  properties: Readonly<Record<string, Schema>>,
  more: { readonly required?: readonly string[]; readonly rules?: readonly Rule[] } = {},
): ObjectSchema {
  const { required = [], rules } = more;
  return { type: 'object', properties, required, ...(rules !== undefined && { rules }) };
}

/** A list that is replaced as a whole. */
export function list(items: Schema, more: Partial<ListSchema> = {}): ListSchema {
  return { type: 'list', items, listType: 'atomic', keys: [], ...more };
}

/** A list whose entries are told apart by `keys`. */
export function listMap(
  items: ObjectSchema, keys: readonly string[], more: Partial<ListSchema> = {},
): ListSchema {
  return { ...list(items, more), listType: 'map', keys };
}

/** A schema of an object with free keys. */
export function map(values: Schema): MapSchema {
  return { type: 'map', values };
}

/** A schema of a text. */
export function text(more: Partial<TextSchema> = {}): TextSchema {
  return { type: 'text', ...more };
}

/** A schema of a text out of a closed set. */
export function oneOf(...options: readonly string[]): TextSchema {
  return { type: 'text', options };
}

/** A schema of a whole number between `min` and `max`, both allowed. */
export function integer(
  min: number, max: number, more: Partial<IntegerSchema> = {},
): IntegerSchema {
  // CRDs have no unsigned format: what exceeds int32 is declared int64 and bounded.
  const format = max > 2_147_483_647 ? 'int64' : 'int32';
  return { type: 'integer', format, min, max, ...more };
}

/** A schema of a truth value. */
export function boolean(more: Partial<BooleanSchema> = {}): BooleanSchema {
  return { type: 'boolean', ...more };
}
