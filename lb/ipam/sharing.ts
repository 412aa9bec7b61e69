import type { Labels, Service } from '../model.ts';
import type { IpamAnnotations } from './annotations.ts';

/** What decides with whom a Service may share an address; undefined key never shares. */
export interface Sharing {
  /** Empty: no key. */
  readonly key: string;
  readonly namespace: string;
  readonly namespaces: ReadonlySet<string>;
  readonly everyNamespace: boolean;
  /** `TCP/80`, each once. */
  readonly ports: ReadonlySet<string>;
  readonly policy: 'Cluster' | 'Local';
  /** Canonical text of the selector; empty for an empty selector. */
  readonly selector: string;
  readonly differentPods: boolean;
}

export type SharingCode =
  | 'SharingKeyDiffers' | 'NamespaceNotPermitted' | 'PortTaken' | 'TrafficPolicyDiffers'
  | 'SelectorEmpty' | 'SelectorDiffers';

const nothing: ReadonlySet<string> = new Set();

export function sharingOf(service: Service, annotations: IpamAnnotations): Sharing {
  const key = annotations.sharingKey;
  const { namespace } = service.meta;
  const policy = service.externalTrafficPolicy;
  // Without a key nothing else is ever looked at, and most Services have none.
  if (key === '') {
    return {
      key, namespace, namespaces: nothing, everyNamespace: false, ports: nothing, policy,
      selector: '', differentPods: false,
    };
  }
  return {
    key,
    namespace,
    namespaces: annotations.namespaces,
    everyNamespace: annotations.everyNamespace,
    ports: new Set(service.ports.map(({ protocol, port }) => `${protocol}/${port}`)),
    policy,
    selector: selectorText(service.selector),
    differentPods: annotations.differentPods,
  };
}

function selectorText(selector: Labels): string {
  const pairs = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  return pairs.sort((left, right) => (left < right ? -1 : left > right ? 1 : 0)).join();
}

/**
 * The first rule that keeps two Services from sharing an address, or undefined. Symmetric
 * (lb-ipam.md 7).
 */
export function sharingObstacle(left: Sharing, right: Sharing): SharingCode | undefined {
  if (left.key === '' || left.key !== right.key) return 'SharingKeyDiffers';
  if (!namespacesPermit(left, right)) return 'NamespaceNotPermitted';
  if (!left.ports.isDisjointFrom(right.ports)) return 'PortTaken';
  if (left.policy !== right.policy) return 'TrafficPolicyDiffers';
  if (left.policy === 'Cluster') return undefined;
  if (left.selector === '' || right.selector === '') return 'SelectorEmpty';
  const bothPermit = left.differentPods && right.differentPods;
  return left.selector === right.selector || bothPermit ? undefined : 'SelectorDiffers';
}

function namespacesPermit(left: Sharing, right: Sharing): boolean {
  if (left.namespace === right.namespace) return true;
  return lists(left, right.namespace) && lists(right, left.namespace);
}

function lists(sharing: Sharing, namespace: string): boolean {
  return sharing.everyNamespace || sharing.namespaces.has(namespace);
}
