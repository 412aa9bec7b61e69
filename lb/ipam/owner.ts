import type { Service } from '../model.ts';
import type { IpamSettings } from './settings.ts';

/** Who gives a Service its addresses. */
export type Ownership =
  | { readonly kind: 'lbipam'; readonly needsClaim: boolean }
  /** Keeps what it has, gets nothing new; `setting` would change that. */
  | { readonly kind: 'lbipam-hold'; readonly setting: string; readonly classless: boolean }
  | { readonly kind: 'node' }
  | { readonly kind: 'node-hold'; readonly setting: string }
  | { readonly kind: 'nobody' };

const nobody: Ownership = { kind: 'nobody' };

/**
 * The owner by type, class and settings (lb-ipam.md 4.1). `lbipam-hold` with `classless` holds only
 * while the record lists an address; otherwise nobody owns the Service.
 */
export function ownerOf(service: Service, settings: IpamSettings): Ownership {
  if (service.type !== 'LoadBalancer') return nobody;
  const owner = ownerByClass(service, settings);
  const ofNodes = owner.kind === 'node' || owner.kind === 'node-hold';
  return settings.lbIpam || ofNodes ? owner : nobody;
}

function ownerByClass(service: Service, settings: IpamSettings): Ownership {
  switch (service.loadBalancerClass ?? '') {
    case 'io.cilium/l2-announcer':
      return settings.l2 ? lbIpam(false) : holdOnly('enable-l2-announcements');
    case 'io.cilium/bgp-control-plane':
      return settings.bgp ? lbIpam(false) : holdOnly('enable-bgp-control-plane');
    case 'io.cilium/node':
      if (settings.nodeIpam) return { kind: 'node' };
      return { kind: 'node-hold', setting: 'enable-node-ipam' };
    case '':
      return classlessOwner(settings);
    default:
      return nobody;
  }
}

function classlessOwner(settings: IpamSettings): Ownership {
  if (settings.classlessOwner === 'lbipam') return lbIpam(true);
  if (settings.classlessOwner === 'nodeipam' && settings.nodeIpam) return { kind: 'node' };
  const nodeOff = settings.classlessOwner === 'nodeipam';
  const setting = nodeOff ? 'enable-node-ipam' : 'default-lb-service-ipam';
  return { kind: 'lbipam-hold', setting, classless: true };
}

function lbIpam(needsClaim: boolean): Ownership {
  return { kind: 'lbipam', needsClaim };
}

function holdOnly(setting: string): Ownership {
  return { kind: 'lbipam-hold', setting, classless: false };
}
