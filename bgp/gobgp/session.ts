import { createMachine } from 'xstate';
import type { MachineEffect } from '../../lb/machine.ts';
import type { Micros } from '../../lb/ports.ts';

/** What one peer hears; facts arrive as fields of the events. */
export type PeerEvent =
  | { readonly type: 'WANT'; readonly changed: boolean }
  | { readonly type: 'UNWANT' }
  | { readonly type: 'ADDED' }
  | { readonly type: 'FAILED'; readonly delay: Micros }
  | {
    readonly type: 'SESSION'; readonly established: boolean;
    /** Before a kick. */
    readonly delay: Micros;
  }
  /** Time for a kick, with the session at rest; or not yet. */
  | { readonly type: 'KICK' }
  | { readonly type: 'HOLD'; readonly delay: Micros }
  | { readonly type: 'DONE'; readonly wanted: boolean }
  | { readonly type: 'SPEAKER_LOST' }
  /** What a listing shows after the speaker was away. */
  | { readonly type: 'LISTED'; readonly found: 'up' | 'down' | 'missing' }
  | { readonly type: 'TIMER'; readonly timer: string };

export type PeerState =
  | 'absent' | 'adding' | 'down' | 'up' | 'kicking' | 'removing' | 'unknown';

const add = { target: 'adding', actions: { type: 'add' } } as const;
const again = {
  guard: ({ event }: { readonly event: PeerEvent }) => event.type === 'WANT' && event.changed,
  target: 'adding', actions: [{ type: 'disarm' }, { type: 'replace' }],
} as const;
const remove = {
  target: 'removing', actions: [{ type: 'disarm' }, { type: 'remove' }],
} as const;
const away = { target: 'unknown', actions: [{ type: 'disarm' }] } as const;

const armKick = {
  type: 'arm', params: ({ event }: { readonly event: PeerEvent }) => (
    { timer: 'kick', delay: 'delay' in event ? event.delay : 0 }
  ),
} as const;

/**
 * One peer of a daemon (bgp.md 6, second table). What cannot be resolved never comes this far, so
 * there is no `waiting`. A peer that never came up is not kicked: the daemon tries by itself.
 */
export const peerMachine = createMachine({
  types: {} as { events: PeerEvent; actions: MachineEffect },
  id: 'peer',
  initial: 'absent',
  states: {
    absent: { on: { WANT: add, SPEAKER_LOST: away, LISTED: listed() } },
    adding: {
      on: {
        ADDED: { target: 'down', actions: [{ type: 'disarm' }, { type: 'added' }] },
        FAILED: { actions: { type: 'arm', params: ({ event }) => (
          { timer: 'add', delay: event.delay }
        ) } },
        TIMER: { actions: { type: 'replace' } },
        WANT: { guard: ({ event }) => event.changed, actions: { type: 'replace' } },
        UNWANT: remove, SPEAKER_LOST: away,
      },
    },
    down: {
      on: {
        SESSION: {
          guard: ({ event }) => event.established, target: 'up', actions: { type: 'up' },
        },
        WANT: again, UNWANT: remove, SPEAKER_LOST: away,
      },
    },
    up: {
      on: {
        SESSION: {
          guard: ({ event }) => !event.established, target: 'kicking',
          actions: [{ type: 'lost' }, armKick],
        },
        WANT: again, UNWANT: remove, SPEAKER_LOST: away,
      },
    },
    kicking: {
      on: {
        SESSION: {
          guard: ({ event }) => event.established, target: 'up',
          actions: [{ type: 'disarm' }, { type: 'up' }],
        },
        TIMER: { actions: { type: 'due' } },
        KICK: { target: 'adding', actions: { type: 'kick' } },
        HOLD: { actions: armKick },
        WANT: again, UNWANT: remove, SPEAKER_LOST: away,
      },
    },
    removing: {
      on: {
        DONE: [
          { guard: ({ event }) => event.wanted, ...add },
          { target: 'absent', actions: { type: 'removed' } },
        ],
        FAILED: { actions: { type: 'arm', params: ({ event }) => (
          { timer: 'remove', delay: event.delay }
        ) } },
        TIMER: { actions: { type: 'remove' } },
        SPEAKER_LOST: away,
      },
    },
    unknown: {
      on: { LISTED: listed(), UNWANT: { target: 'absent', actions: { type: 'removed' } } },
    },
  },
});

function listed() {
  return [
    {
      guard: ({ event }: { readonly event: PeerEvent }) => (
        event.type === 'LISTED' && event.found === 'up'
      ),
      target: 'up', actions: { type: 'up' },
    },
    {
      guard: ({ event }: { readonly event: PeerEvent }) => (
        event.type === 'LISTED' && event.found === 'down'
      ),
      target: 'down',
    },
    add,
  ] as const;
}
