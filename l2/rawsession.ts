import type { KubeObject } from '../kube/port.ts';
import { closedAnnotation, sessionAnnotation } from './lease.ts';

/** What a renewal may change, read without decoding the object or parsing its annotation. */
export interface RawSession {
  readonly resourceVersion: string;
  readonly holder: string;
  readonly closed: boolean;
  readonly seq: number;
  /** The annotation after its `seq`, and every other thing that must stay the same. */
  readonly tail: string;
}

const head = '{"v":1,"seq":';

/** Undefined where the object does not look as `sessionStateText` wrote it: then it is decoded. */
export function rawSession(object: KubeObject): RawSession | undefined {
  const { metadata, spec } = object as { metadata?: Loose; spec?: unknown };
  if (metadata === undefined || !isLoose(spec)) return undefined;
  const { annotations, resourceVersion } = metadata;
  const holder = spec['holderIdentity'];
  if (!isLoose(annotations) || typeof resourceVersion !== 'string' || typeof holder !== 'string') {
    return undefined;
  }
  const text = annotations[sessionAnnotation];
  if (typeof text !== 'string' || !text.startsWith(head)) return undefined;
  const comma = text.indexOf(',', head.length);
  const seq = Number(text.slice(head.length, comma));
  if (comma < 0 || !Number.isSafeInteger(seq)) return undefined;
  return {
    resourceVersion, holder, seq, closed: closedAnnotation in annotations, tail: text.slice(comma),
  };
}

interface Loose {
  readonly [key: string]: unknown;
}

function isLoose(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}
