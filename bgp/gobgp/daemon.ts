import type { Micros } from '../../lb/ports.ts';
import type { Result } from '../../lb/result.ts';
import type { SpeakerError } from '../port.ts';

/** The process of a supervised speaker (bgp.md 5.1). No callback runs inside a call. */
export interface DaemonPort {
  /**
   * Starts the process at its endpoint. A socket that nobody listens on is removed first; one that
   * somebody listens on is `foreign` and left alone.
   */
  spawn(done: (result: Result<void, SpeakerError>) => void): void;
  /** To the child, or to the process that an earlier agent left at the endpoint. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** The child of this agent runs. */
  readonly alive: boolean;
  /** It goes on without us; false where it dies with the container. */
  readonly survives: boolean;
  /** The child ended, for whatever reason. */
  onExit(listener: () => void): void;
  /**
   * Keeps beside the endpoint which routers, by address, help graceful restarts of ours now. It
   * outlives this process, not the machine's run.
   */
  noteHelpers(addresses: readonly string[]): void;
  /** What was noted last, by whomever, and how long ago. */
  helpers(): { readonly addresses: readonly string[]; readonly age: Micros } | undefined;
}
