import type { Micros } from '../../lb/ports.ts';
import type { WorldNote } from '../world.ts';

/** One breach of one oracle, in the user's words. */
export interface Finding {
  readonly oracle: string;
  readonly type: 'safety' | 'liveness';
  /** `192.168.10.41`, `service media/jellyfin`. */
  readonly object: string;
  readonly time: Micros;
  /** What was seen, with the witness: the two owners, the packet, the difference. */
  readonly text: string;
  /** The last things that happened before. */
  readonly related: readonly WorldNote[];
}
