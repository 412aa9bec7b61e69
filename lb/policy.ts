import type { DatapathOptions } from './datapathoptions.ts';
import type { FrontKind } from './view.ts';

/** Who sends, as the policy table knows senders. */
export type SourceClass = 'node' | 'pod' | 'external';

export type Scope = 'cluster' | 'local';

export interface PolicyFacts {
  readonly source: SourceClass;
  readonly front: FrontKind;
  /** `internalTrafficPolicy` and `externalTrafficPolicy` are Local. */
  readonly internalLocal: boolean;
  readonly externalLocal: boolean;
}

export interface PolicyVerdict {
  readonly scope: Scope;
  /** The endpoint may, and where replies would miss this node must, see another source address. */
  readonly masquerade: boolean;
}

/**
 * The table of datapath.md 4.1: ClusterIP traffic follows iTP and nothing else; NodePort, VIP and
 * ExternalIP traffic follows eTP and nothing else, whoever sends it.
 */
export function policyVerdict(facts: PolicyFacts, options: DatapathOptions): PolicyVerdict {
  if (facts.front === 'clusterIp') {
    return {
      scope: facts.internalLocal ? 'local' : 'cluster',
      masquerade: clusterIpMasquerade(facts.source, options),
    };
  }
  if (!facts.externalLocal) return { scope: 'cluster', masquerade: true };
  // Local is a promise to strangers: this cluster's own pods and nodes still find every endpoint.
  if (facts.source === 'external') return { scope: 'local', masquerade: false };
  return { scope: 'cluster', masquerade: facts.source === 'node' };
}

// Without a detector nobody can tell a pod from a stranger, so ClusterIP traffic keeps its source.
function clusterIpMasquerade(source: SourceClass, options: DatapathOptions): boolean {
  if (options.masqueradeAll) return true;
  if (options.localDetector.kind === 'none') return false;
  return source !== 'pod';
}
