import { createMachine } from 'xstate';
import type { MachineEffect } from '../lb/machine.ts';
import type { Micros } from '../lb/ports.ts';

/**
 * What the inputs of sections 3 to 5 of l2.md come to for one address:
 * `own` held; `owed` a release was sent for the own take; `create` no lock, and this node's turn;
 * `take` takeable, and this node's turn; `wait` a write of ours is under way; `other` all else.
 */
export type Hold = 'own' | 'owed' | 'create' | 'take' | 'wait' | 'other';

export type AddressEvent =
  | { readonly type: 'VIEW'; readonly hold: Hold; readonly candidate: boolean }
  | { readonly type: 'WRITE'; readonly result: 'ok' | 'conflict' | 'unknown' }
  | {
    readonly type: 'KEYS';
    readonly result: 'ok' | 'failed' | 'exhausted';
    readonly settle: Micros;
  }
  | { readonly type: 'BURST' }
  | { readonly type: 'LINKS' }
  | { readonly type: 'MISMATCH' }
  | { readonly type: 'LEAVE' }
  | { readonly type: 'SESSION_LOST' }
  | { readonly type: 'SESSION_LIVE' }
  | { readonly type: 'OVERTIME' }
  | { readonly type: 'COUNTED' }
  | { readonly type: 'DENIED' }
  | { readonly type: 'TIMER'; readonly timer: string };

export type AddressState =
  | 'standby' | 'acquiring' | 'programming' | 'announcing' | 'announced'
  | 'overtime' | 'releasing' | 'fenced';

const ms = 1000;
const disarm: MachineEffect = { type: 'disarm' };
const withdraw: MachineEffect = { type: 'withdraw' };
const program: MachineEffect = { type: 'program' };

type View = { readonly event: Extract<AddressEvent, { type: 'VIEW' }> };
const ownCandidate = ({ event }: View): boolean => event.hold === 'own' && event.candidate;
const ownAlone = ({ event }: View): boolean => event.hold === 'own';
const mayTake = ({ event }: View): boolean =>
  event.candidate && (event.hold === 'take' || event.hold === 'owed');
const mayCreate = ({ event }: View): boolean => event.candidate && event.hold === 'create';
const notOwn = ({ event }: View): boolean => event.hold !== 'own';

/** Rows 16, 17 and 21, shared by every state in which keys may exist. */
function whileHeld() {
  return {
    VIEW: [
      {
        guard: notOwn,
        target: 'standby',
        actions: [disarm, { type: 'drop', params: { cause: 'lost' } }],
      },
      {
        guard: ({ event }: View) => !event.candidate,
        target: 'releasing',
        actions: [disarm, withdraw],
      },
    ],
    LEAVE: { target: 'releasing', actions: [disarm, withdraw] },
    SESSION_LOST: {
      target: 'fenced', actions: [disarm, { type: 'drop', params: { cause: 'fenced' } }],
    },
  };
}

/**
 * The life of one address on one node (l2.md 6, IP machine). The rank delay of rows 1 to 3 is
 * spent before the VIEW: with thousands of free addresses the host waits for turns in one queue,
 * and only an address whose turn has come has a machine.
 */
export const addressMachine = createMachine({
  types: {} as { events: AddressEvent; actions: MachineEffect },
  id: 'address',
  initial: 'standby',
  states: {
    standby: {
      on: {
        VIEW: [
          { guard: ownCandidate, target: 'programming', actions: program },
          { guard: ownAlone, target: 'releasing', actions: withdraw },
          { guard: mayCreate, target: 'acquiring', actions: { type: 'create' } },
          { guard: mayTake, target: 'acquiring', actions: { type: 'take' } },
        ],
      },
    },
    acquiring: {
      on: {
        VIEW: [
          { guard: ownCandidate, target: 'programming', actions: [disarm, program] },
          { guard: ownAlone, target: 'releasing', actions: [disarm, withdraw] },
          { guard: mayCreate, actions: [disarm, { type: 'create' }] },
          { guard: mayTake, actions: [disarm, { type: 'take' }] },
          { guard: ({ event }) => event.hold !== 'wait', target: 'standby', actions: disarm },
        ],
        WRITE: [
          { guard: ({ event }) => event.result === 'conflict', target: 'standby', actions: disarm },
          { actions: { type: 'arm', params: { timer: 'reread', delay: 1000 * ms } } },
        ],
        TIMER: { target: 'standby', actions: { type: 'review' } },
        SESSION_LOST: { target: 'fenced', actions: disarm },
      },
    },
    programming: {
      on: {
        ...whileHeld(),
        KEYS: [
          {
            guard: ({ event }) => event.result === 'ok',
            target: 'announcing',
            actions: { type: 'announce' },
          },
          {
            guard: ({ event }) => event.result === 'exhausted',
            target: 'releasing', actions: [{ type: 'decline' }, withdraw],
          },
          { actions: { type: 'arm', params: { timer: 'retry', delay: 100 * ms } } },
        ],
        TIMER: { actions: program },
        LINKS: { actions: program },
      },
    },
    announcing: {
      on: {
        ...whileHeld(),
        BURST: 'announced',
        LINKS: { actions: { type: 'relink' } },
        MISMATCH: { target: 'programming', actions: program },
      },
    },
    announced: {
      on: {
        ...whileHeld(),
        LINKS: { actions: { type: 'relink' } },
        MISMATCH: { target: 'programming', actions: program },
        OVERTIME: { target: 'overtime', actions: { type: 'overtime' } },
      },
    },
    overtime: {
      on: {
        COUNTED: { target: 'announced', actions: { type: 'regular' } },
        VIEW: [
          {
            guard: ownCandidate,
            target: 'announcing',
            actions: [disarm, { type: 'regular' }, { type: 'announce' }],
          },
          { guard: mayTake, actions: { type: 'take' } },
          { guard: ({ event }) => event.hold !== 'wait', target: 'fenced', actions: deny() },
        ],
        WRITE: {
          guard: ({ event }) => event.result === 'conflict', target: 'fenced', actions: deny(),
        },
        LEAVE: { target: 'fenced', actions: deny() },
        DENIED: { target: 'fenced', actions: deny() },
        LINKS: { actions: { type: 'relink' } },
      },
    },
    releasing: {
      on: {
        KEYS: {
          actions: {
            type: 'arm',
            params: (
              { event }: { event: { readonly settle: Micros } },
            ) => ({ timer: 'settle', delay: event.settle }),
          } as unknown as MachineEffect,
        },
        TIMER: { actions: { type: 'release' } },
        WRITE: {
          guard: ({ event }) => event.result !== 'ok',
          actions: { type: 'arm', params: { timer: 'settle', delay: 200 * ms } },
        },
        VIEW: {
          guard: ({ event }) => event.hold !== 'own' && event.hold !== 'owed'
            && event.hold !== 'wait',
          target: 'standby', actions: [disarm, { type: 'released' }, { type: 'review' }],
        },
        SESSION_LOST: {
          target: 'fenced', actions: [disarm, { type: 'drop', params: { cause: 'fenced' } }],
        },
      },
    },
    fenced: {
      on: { SESSION_LIVE: { target: 'standby', actions: { type: 'review' } } },
    },
  },
});

function deny(): MachineEffect[] {
  return [disarm, { type: 'regular' }, { type: 'drop', params: { cause: 'denied' } }];
}
