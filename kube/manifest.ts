import {
  isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseAllDocuments, type Document,
} from 'yaml';
import type { KubeObject } from './port.ts';
import { excerpt, isFields } from './reader.ts';
import { resourceOf } from './resource.ts';

/** Line and column of a text, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One object of a manifest, and where each of its fields stands. */
export interface ManifestObject {
  readonly object: KubeObject;
  readonly file: string;
  /** Of the field at `spec.blocks[0].cidr`, or of its nearest parent that is there. */
  positionOf(path: string): Position;
}

/** What is no manifest, with its place. */
export interface ManifestFault extends Position {
  readonly file: string;
  /** From the root of the object: `metadata.name`; empty for the text itself. */
  readonly path: string;
  readonly message: string;
}

export interface Manifests {
  readonly objects: readonly ManifestObject[];
  readonly faults: readonly ManifestFault[];
}

/** An anchor that expands further than this is an attack or an accident. */
const aliasCountMax = 100;

// kubectl reads YAML 1.1, in which a bare `No` is a boolean and `0644` is octal, but it keeps dates
// and `12:30` as the texts that JSON can carry.
const textTags: ReadonlySet<string> = new Set(
  ['timestamp', 'binary', 'omap', 'pairs', 'set'].map((name) => `tag:yaml.org,2002:${name}`),
);

/**
 * The objects of one text of YAML or JSON documents, in order, `List` kinds unrolled. A document
 * that cannot be read, or an object without apiVersion, kind or name, is a fault; the others stand.
 */
export function parseManifests(text: string, file: string): Manifests {
  const objects: ManifestObject[] = [];
  const faults: ManifestFault[] = [];
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  for (const read of readDocuments(text, lines)) {
    for (const { offset, message } of read.errors) {
      faults.push({ file, path: '', message, ...place(offset) });
    }
    for (const { value, steps } of objectsIn(read.value, [])) {
      const positionOf = (path: string): Position =>
        place(offsetOf(read.document, [...steps, ...stepsOf(path)]));
      const found = faultsOf(value);
      for (const { path, message } of found) {
        faults.push({ file, path, message, ...positionOf(path) });
      }
      // Without faults it has what a KubeObject has.
      if (found.length === 0) objects.push({ object: value as KubeObject, file, positionOf });
    }
  }
  return { objects, faults };
}

export interface PlacedManifests {
  /** Each object once, in the order of the texts. */
  readonly objects: readonly ManifestObject[];
  /** At the second and further objects of one group, kind, namespace and name. */
  readonly faults: readonly ManifestFault[];
}

/**
 * What `kubectl apply` makes of objects from several texts: a namespaced object without a namespace
 * goes into `namespace`. The first of several objects of one name stands, the others are faults.
 */
export function placeManifests(
  objects: readonly ManifestObject[],
  namespace = 'default',
): PlacedManifests {
  const firsts = new Map<string, ManifestObject>();
  const faults: ManifestFault[] = [];
  for (const manifest of objects) {
    const placed = { ...manifest, object: inNamespace(manifest.object, namespace) };
    const identity = identityOf(placed.object);
    const first = firsts.get(identity);
    if (first === undefined) {
      firsts.set(identity, placed);
      continue;
    }
    const { line } = first.positionOf('metadata.name');
    const message = `${identity} is already defined at ${first.file}:${line}`;
    const position = manifest.positionOf('metadata.name');
    faults.push({ file: manifest.file, path: 'metadata.name', message, ...position });
  }
  return { objects: [...firsts.values()], faults };
}

// An unknown kind keeps what it says of itself: only its own API knows whether it has a namespace.
function inNamespace(object: KubeObject, namespace: string): KubeObject {
  const known = resourceOf(object.apiVersion ?? '', object.kind ?? '');
  const own = object.metadata?.namespace;
  if (known === undefined || !known.namespaced || (own !== undefined && own !== '')) return object;
  return { ...object, metadata: { ...object.metadata, namespace } };
}

function identityOf({ apiVersion = '', kind = '', metadata }: KubeObject): string {
  const group = apiVersion.slice(0, Math.max(0, apiVersion.indexOf('/')));
  const qualified = group === '' ? kind : `${kind}.${group}`;
  const { namespace = '', name = '' } = metadata ?? {};
  return namespace === '' ? `${qualified} ${name}` : `${qualified} ${namespace}/${name}`;
}

interface ReadDocument {
  readonly document: Document | undefined;
  /** Undefined when there is nothing, or nothing readable. */
  readonly value: unknown;
  readonly errors: readonly { readonly offset: number; readonly message: string }[];
}

function readDocuments(text: string, lineCounter: LineCounter): readonly ReadDocument[] {
  const parsed = guarded(() => [...parseAllDocuments(text, {
    lineCounter,
    version: '1.1',
    logLevel: 'error',
    prettyErrors: false,
    customTags: (tags) => tags.filter((tag) =>
      typeof tag === 'string' || (tag.format !== 'TIME' && !textTags.has(tag.tag))),
  })]);
  if (typeof parsed === 'string') {
    return [{ document: undefined, value: undefined, errors: [{ offset: 0, message: parsed }] }];
  }
  return parsed.map(readDocument);
}

function readDocument(document: Document): ReadDocument {
  const errors = document.errors.map(({ pos, message }) => ({ offset: pos[0], message }));
  if (errors.length > 0) return { document, value: undefined, errors };
  const maxAliasCount = aliasCountMax;
  const plain = guarded(() => ({ value: document.toJS({ maxAliasCount }) as unknown }));
  if (typeof plain !== 'string') return { document, value: plain.value, errors };
  const offset = offsetOf(document, []);
  return { document, value: undefined, errors: [{ offset, message: plain }] };
}

// The library throws for what it cannot bear: aliases that expand without bound, and nesting deeper
// than the stack. Both are bad input, which is a value here and not the end of the process.
function guarded<T extends object>(read: () => T): T | string {
  try {
    return read();
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : 'cannot be read';
  }
}

type Step = string | number;

interface Found {
  readonly value: unknown;
  /** From the root of the document. */
  readonly steps: readonly Step[];
}

// An empty document is no fault: `---` at the end of a file leaves one.
function objectsIn(value: unknown, steps: readonly Step[]): Found[] {
  if (value === null || value === undefined) return [];
  const items: unknown = isFields(value) ? value['items'] : undefined;
  const kind = isFields(value) ? value['kind'] : undefined;
  const list = typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items);
  if (!list) return [{ value, steps }];
  return items.flatMap((item: unknown, index) => objectsIn(item, [...steps, 'items', index]));
}

/** What keeps a value from being an object that could be sent anywhere. */
function faultsOf(value: unknown): { path: string; message: string }[] {
  if (!isFields(value)) return [{ path: '', message: `expected an object, got ${excerpt(value)}` }];
  const metadata = value['metadata'];
  const wanted = [
    ['apiVersion', value['apiVersion']],
    ['kind', value['kind']],
    ['metadata.name', isFields(metadata) ? metadata['name'] : undefined],
  ] as const;
  const faults: { path: string; message: string }[] = [];
  for (const [path, found] of wanted) {
    if (typeof found === 'string' && found !== '') continue;
    faults.push({ path, message: `expected text, got ${excerpt(found)}` });
  }
  const namespace = isFields(metadata) ? metadata['namespace'] : undefined;
  if (namespace !== undefined && namespace !== null && typeof namespace !== 'string') {
    const message = `expected text, got ${excerpt(namespace)}`;
    faults.push({ path: 'metadata.namespace', message });
  }
  return faults;
}

/** `spec.blocks[0].cidr` as steps; a key that is no plain word stands in brackets. */
function stepsOf(path: string): Step[] {
  return [...path.matchAll(/\[([^\]]*)\]|[^.[\]]+/gu)].map(([plain, bracketed]) => {
    const step = bracketed ?? plain;
    return /^[0-9]+$/u.test(step) ? Number(step) : step;
  });
}

/** Where the last step that is there begins: its key in a map, the item itself in a list. */
function offsetOf(document: Document | undefined, steps: readonly Step[]): number {
  let node: unknown = document?.contents;
  let offset = document?.contents?.range?.[0] ?? document?.range?.[0] ?? 0;
  for (const step of steps) {
    if (isAlias(node) && document !== undefined) node = node.resolve(document);
    if (isMap(node)) {
      const wanted = String(step);
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === wanted);
      if (pair === undefined) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      if (!isNode(node)) break;
      offset = node.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}
