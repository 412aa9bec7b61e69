import type { DatapathOptions } from '../lb/datapathoptions.ts';
import type { FeatureName } from './features.ts';
import { midstream, noEndpoints, type Options } from './layout.gen.ts';

/** Options that decide only what programs do, beside those that the oracle knows. */
export interface ProgramSettings {
  readonly datapath: DatapathOptions;
  /** `hostNamespaceOnly` leaves the sockets of pods alone. */
  readonly socketLb: 'full' | 'hostNamespaceOnly';
  /** A bind to a NodePort in use fails. */
  readonly bindProtection: boolean;
}

/** The switches of `.rodata`, for a kernel with these features. */
export function programOptions(
  { datapath, socketLb, bindProtection }: ProgramSettings, features: ReadonlySet<FeatureName>,
): Options {
  const { snatPorts, nodePortRange } = datapath;
  const has = (feature: FeatureName): number => Number(features.has(feature));
  return {
    test: 0,
    ethernet: 1,
    hashSeed: datapath.hashSeed,
    snatPortLo: snatPorts.first, snatPortHi: snatPorts.last,
    nodePortLo: nodePortRange.first, nodePortHi: nodePortRange.last,
    socketFull: Number(socketLb === 'full'),
    bindProtection: Number(bindProtection),
    externalClusterIp: Number(datapath.externalClusterIp),
    vipGuard: Number(datapath.vipGuard),
    vipEcho: Number(datapath.vipEcho),
    noEndpoints: noEndpoints[datapath.noEndpoints],
    midstream: midstream[datapath.midstream],
    hasSetRetval: has('set-retval'),
    hasLoop: has('loop'),
    hasCoarseClock: has('ktime-coarse'),
    hasCheckMtu: has('check-mtu'),
    hasCsumIpv6: has('csum-ipv6'),
  };
}
