import test from 'ava';
import { createDecoder, type Decoder } from '../../kube/decode.ts';
import type { KubeObject } from '../../kube/port.ts';
import type { Fault } from '../../lb/model.ts';

export type Kind = keyof Decoder;
export type Fields = Record<string, unknown>;

export const metadata = { name: 'n', namespace: 'ns', uid: 'u', resourceVersion: '7' };
export const clusterScoped = { name: 'n', uid: 'u', resourceVersion: '7' };

export interface Read {
  readonly row: Fields | undefined;
  readonly faults: readonly Fault[];
}

export function decode(kind: Kind, object: unknown): Read {
  const decoded = createDecoder()[kind](object as KubeObject);
  if (!decoded.ok) return { row: undefined, faults: decoded.error };
  return { row: decoded.value as unknown as Fields, faults: decoded.value.faults };
}

const namespaced = (kind: Kind): boolean => ['service', 'slice', 'lease'].includes(kind);
export const whole = (kind: Kind, fields: Fields): Fields =>
  ({ metadata: namespaced(kind) ? metadata : clusterScoped, ...fields });

export const texts = (faults: readonly Fault[]): string[] =>
  faults.map(({ path, message }) => `${path}: ${message}`);

/** `fields` of a kind decode to `expected` and leave exactly these faults. */
export const reads = test.macro({
  exec: (t, kind: Kind, fields: Fields, expected: Fields, faults: readonly string[] = []) => {
    const decoded = decode(kind, whole(kind, fields));
    t.not(decoded.row, undefined);
    for (const [key, value] of Object.entries(expected)) {
      t.deepEqual(decoded.row?.[key], value, key);
    }
    t.deepEqual(texts(decoded.faults), faults);
  },
  title: (_, kind, fields, __, faults) => {
    const outcome = Array.isArray(faults) ? `leaves ${faults.length} fault(s)` : 'is read';
    return `${kind} ${JSON.stringify(fields).slice(0, 90)} ${outcome}`;
  },
});
