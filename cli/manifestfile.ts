import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document } from 'yaml';
import type { KubeObject } from '../kube/port.ts';

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** One object of a manifest, and where each of its fields stands. */
export interface PlacedObject {
  readonly object: KubeObject;
  readonly file: string;
  /** Of the field, or of its nearest parent that is there. */
  positionOf(path: string): Position;
}

/** A text that is no manifest, with its place. */
export interface FileFault extends Position {
  readonly file: string;
  readonly message: string;
}

export interface ManifestFile {
  readonly objects: readonly PlacedObject[];
  readonly faults: readonly FileFault[];
}

// kubectl reads YAML 1.1, where a bare `No` is a boolean, but keeps times and `12:30` as text.
const textTags: ReadonlySet<string> = new Set(['timestamp', 'binary', 'omap', 'pairs', 'set']);

/** The objects of one file, `List` kinds unrolled, in order. Never throws. */
export function readManifestFile(file: string, text: string): ManifestFile {
  const lines = new LineCounter();
  const place = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const objects: PlacedObject[] = [];
  const faults: FileFault[] = [];
  for (const document of documentsOf(text, lines)) {
    const start = document.contents?.range?.[0] ?? 0;
    const refuse = (offset: number, message: string): void => {
      faults.push({ file, ...place(offset), message });
    };
    for (const { pos, message } of document.errors) refuse(pos[0], message);
    if (document.errors.length > 0) continue;
    const value = plainValue(document, (message) => refuse(start, message));
    for (const { object, steps } of objectsIn(value, [])) {
      const offsetAt = (path: string): number =>
        offsetOf(document, [...steps, ...stepsOf(path)]) ?? start;
      if (isObject(object))
        objects.push({ object, file, positionOf: (path) => place(offsetAt(path)) });
      else refuse(offsetOf(document, steps) ?? start, 'no object with apiVersion, kind and name');
    }
  }
  return { objects, faults };
}

function documentsOf(text: string, lineCounter: LineCounter): readonly Document[] {
  const documents = parseAllDocuments(text, {
    lineCounter,
    version: '1.1',
    prettyErrors: false,
    customTags: (tags) => tags.filter((tag) => typeof tag === 'string' ||
      (tag.format !== 'TIME' && !textTags.has(tag.tag.replace('tag:yaml.org,2002:', '')))),
  });
  return Array.isArray(documents) ? documents : [];
}

// An alias that would expand without bound throws; it is bad input, not a bug.
function plainValue(document: Document, refuse: (message: string) => void): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    refuse(error instanceof Error ? error.message : 'cannot be read');
    return undefined;
  }
}

type Step = string | number;

interface Found {
  readonly object: unknown;
  /** From the document's root. */
  readonly steps: readonly Step[];
}

// An empty document is no fault: `---` at the end of a file leaves one.
function objectsIn(value: unknown, steps: readonly Step[]): Found[] {
  if (value === null || value === undefined) return [];
  const { kind, items } = value as { kind?: unknown; items?: unknown };
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) {
    return [{ object: value, steps }];
  }
  return items.flatMap((item: unknown, index) => objectsIn(item, [...steps, 'items', index]));
}

function isObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { apiVersion, kind, metadata } = value as Record<string, unknown>;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return false;
  if (typeof metadata !== 'object' || metadata === null) return false;
  return typeof (metadata as Record<string, unknown>)['name'] === 'string';
}

/** `spec.blocks[0].cidr` as steps; a key that is no plain word stands in brackets. */
function stepsOf(path: string): Step[] {
  return [...path.matchAll(/\[([^\]]*)\]|[^.[\]]+/g)].map(([plain, bracketed]) => {
    const step = bracketed ?? plain;
    return /^[0-9]+$/.test(step) ? Number(step) : step;
  });
}

/** Where the last step that is there begins: its key in a map, the item itself in a list. */
function offsetOf(document: Document, steps: readonly Step[]): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0];
  for (const step of steps) {
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(step),
      );
      if (pair === undefined) return offset;
      offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isSeq(node) && typeof step === 'number') {
      node = node.items[step];
      const range = (node as { range?: readonly number[] } | undefined)?.range;
      if (range === undefined) return offset;
      offset = range[0];
    } else {
      return offset;
    }
  }
  return offset;
}
