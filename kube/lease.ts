import type { Lease } from '../lb/model.ts';
import type { Decode } from './decode.ts';
import type { KubeObject } from './port.ts';

/**
 * A decoder of Leases that always gives one: a Lease without usable metadata reads as unheld and
 * unstamped, which no protocol takes for anything.
 */
export function leaseDecoder(decode: Decode<Lease>): (object: KubeObject) => Lease {
  return (object) => {
    const decoded = decode(object);
    return decoded.ok ? decoded.value : unreadable(object, decoded.error);
  };
}

function unreadable(object: KubeObject, faults: Lease['faults']): Lease {
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    kind: 'Lease',
    meta: {
      namespace: text(object.metadata?.namespace),
      name: text(object.metadata?.name),
      uid: text(object.metadata?.uid),
      resourceVersion: text(object.metadata?.resourceVersion),
      generation: 0,
      createdAtMs: undefined,
      deleting: false,
      labels: {},
      annotations: {},
    },
    holderIdentity: '',
    leaseDurationSeconds: undefined,
    leaseTransitions: 0,
    acquireTime: undefined,
    renewTime: undefined,
    faults,
  };
}
