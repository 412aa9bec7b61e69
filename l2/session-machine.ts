import { createMachine } from 'xstate';
import type { MachineEffect } from '../lb/machine.ts';
import type { Micros } from '../lb/ports.ts';

/** What a session hears. `needed` and `fence` facts arrive as event fields. */
export type SessionEvent =
  | { readonly type: 'NEEDED' }
  | { readonly type: 'NOT_NEEDED' }
  | { readonly type: 'ECHO'; readonly inTime: boolean }
  | { readonly type: 'WRITE_FAILED' }
  | { readonly type: 'EXPIRED' }
  | { readonly type: 'DENIED' }
  | { readonly type: 'STOP' }
  | { readonly type: 'ALL_RELEASED' }
  | { readonly type: 'TIMER'; readonly timer: string };

export type SessionStateName = 'idle' | 'opening' | 'live' | 'leaving' | 'ended';

const openTimeout: Micros = 2_000_000;
const shutdownTimeout: Micros = 4_000_000;

/**
 * The node session of l2.md 6 without its rows 4 to 6, which are the plain reducer of renewal.ts.
 * Row 9 is part of the effect `lost`: the next session opens from the same instant. After a failed
 * opening (row 3) the wait for R is the effect's, so that it can follow the setting.
 */
export const sessionMachine = createMachine({
  types: {} as { events: SessionEvent; actions: MachineEffect },
  id: 'session',
  initial: 'idle',
  states: {
    idle: {
      on: {
        NEEDED: { target: 'opening', actions: open() },
        STOP: { target: 'ended', actions: { type: 'ended' } },
      },
    },
    opening: {
      on: {
        ECHO: {
          guard: ({ event }) => event.inTime,
          target: 'live',
          actions: [{ type: 'disarm' }, { type: 'live' }],
        },
        WRITE_FAILED: { actions: { type: 'reopen' } },
        TIMER: [
          { guard: ({ event }) => event.timer === 'open', actions: { type: 'reopen' } },
          { guard: ({ event }) => event.timer === 'retry', actions: open() },
        ],
        STOP: {
          target: 'ended', actions: [{ type: 'disarm' }, { type: 'abandon' }, { type: 'ended' }],
        },
      },
    },
    live: {
      on: {
        EXPIRED: { target: 'opening', actions: lost('fence') },
        DENIED: { target: 'opening', actions: lost('denied') },
        NOT_NEEDED: { target: 'leaving', actions: leave() },
        STOP: { target: 'leaving', actions: leave() },
      },
    },
    leaving: {
      on: {
        ALL_RELEASED: { target: 'ended', actions: [{ type: 'disarm' }, { type: 'close' }] },
        TIMER: {
          guard: ({ event }) => event.timer === 'shutdown',
          target: 'ended',
          actions: { type: 'drop' },
        },
        EXPIRED: { target: 'ended', actions: [{ type: 'disarm' }, { type: 'silenced' }] },
        DENIED: { target: 'ended', actions: [{ type: 'disarm' }, { type: 'silenced' }] },
      },
    },
    ended: {
      // Ended for want of work, not for good: a policy may match again.
      on: {
        NEEDED: { target: 'opening', actions: open() },
        STOP: { actions: { type: 'ended' } },
      },
    },
  },
});

function open(): MachineEffect[] {
  return [{ type: 'open' }, { type: 'arm', params: { timer: 'open', delay: openTimeout } }];
}

function lost(reason: string): MachineEffect[] {
  return [{ type: 'lost', params: { reason } }, ...open()];
}

function leave(): MachineEffect[] {
  return [
    { type: 'leave' }, { type: 'arm', params: { timer: 'shutdown', delay: shutdownTimeout } },
  ];
}
