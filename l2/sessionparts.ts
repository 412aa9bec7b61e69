import type { KubePort } from '../kube/port.ts';
import type { Clock, Journal, Micros, Random } from '../lb/ports.ts';
import type { SessionState } from './lease.ts';
import type { L2Settings } from './settings.ts';

/** Ports of a session; `wake` looks at the fence before each callback (rule S7). */
export interface SessionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly kube: KubePort;
  readonly journal: Journal;
  readonly wake: (callback: () => void) => void;
}

/** What the session asks of, and tells, the daemon around it. */
export interface SessionHooks {
  /** What the Lease tells besides the protocol's own fields. */
  facts(): Omit<SessionState, 'seq' | 'durationMs' | 'bootId' | 'state'>;
  /** A visible lock names this identity: another one is drawn. */
  taken(identity: string): boolean;
  live(): void;
  /** The fence rose: keys of held locks may be extended to it. */
  extended(fence: Micros): void;
  /** No answer from now on; `keep` IPs in overtime aside. */
  lost(reason: string, identity: string): void;
  leaving(): void;
  /** 4 s of shutdown passed: all keys go now; calls back once they are gone. */
  dropAll(done: () => void): void;
  relist(): void;
  ended(): void;
}

export interface SessionConfig {
  readonly settings: L2Settings;
  readonly nodeName: string;
  readonly namespace: string;
  readonly bootId: string;
}
