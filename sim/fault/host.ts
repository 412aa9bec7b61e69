import { parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import { Rogue } from '../net/rogue.ts';
import type { Reader } from '../scenario/reader.ts';
import type { FaultKind } from './fault.ts';

// A faulty text was reported, so the stand-in is never used by a strike.
function readAddress(parameters: Reader): Ip | undefined {
  const text = parameters.text('address') ?? '';
  const parsed = parseIpUnmapped(text);
  if (!parsed.ok) parameters.fault('address', `'${text}' is not an address`);
  return parsed.ok ? parsed.value : undefined;
}

/** Faults of machines that are not nodes, and of what they remember (simulator.md 8). */
export const hostFaults: Readonly<Record<string, FaultKind>> = {
  /** The entry of one host or router ignores every update until healed. */
  'neighbour.stick': {
    prepare(parameters) {
      const host = parameters.text('host') ?? '';
      const address = readAddress(parameters);
      if (host === '') parameters.fault('host', 'is required');
      return (cluster) => {
        assert(address !== undefined, 'a fault that strikes was read without faults');
        const caches = cluster.network.neighbourCaches(host);
        for (const cache of caches) cache.stick(address);
        return () => {
          for (const cache of caches) cache.unstick(address);
        };
      };
    },
  },
  /** A foreign machine announces an address and answers for it. */
  'rogue.claim': {
    prepare(parameters) {
      const segment = parameters.text('segment') ?? 'lan';
      const address = readAddress(parameters);
      const mac = parameters.text('mac') ?? '02:66:6f:65:00:01';
      const announceEvery = parameters.duration('every') ?? 0;
      return (cluster) => {
        assert(address !== undefined, 'a fault that strikes was read without faults');
        const rogue = new Rogue({
          name: `rogue-${address}`,
          segment: cluster.network.segment(segment),
          address,
          mac,
          announceEvery,
        });
        return () => rogue.stop();
      };
    },
  },
  /** The switch answers for an address from its cache and learns no better. */
  'switch.suppress': {
    prepare(parameters) {
      const segment = parameters.text('segment') ?? 'lan';
      const address = readAddress(parameters);
      return (cluster) => {
        assert(address !== undefined, 'a fault that strikes was read without faults');
        const { learning } = cluster.network.segment(segment);
        learning.freeze(address);
        return () => learning.thaw(address);
      };
    },
  },
};
