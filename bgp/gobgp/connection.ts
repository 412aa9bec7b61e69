import { createMachine } from 'xstate';
import type { MachineEffect } from '../../lb/machine.ts';

/** What the connection to a daemon hears; facts arrive as fields of the events. */
export type ConnectionEvent =
  /** There are global values; `changed`: other ones than before. */
  | { readonly type: 'CONFIGURE'; readonly changed: boolean }
  | { readonly type: 'OPENED' }
  /** Nobody answers at the endpoint. */
  | { readonly type: 'REFUSED'; readonly child: 'none' | 'young' | 'old' | 'not-ours' }
  | { readonly type: 'SPAWNED' }
  | { readonly type: 'INSPECTED'; readonly found: Found; readonly remedy: Remedy }
  | { readonly type: 'DONE' }
  /** `lasting`: trying again cannot help before something changes. */
  | { readonly type: 'FAILED'; readonly lasting: boolean }
  | { readonly type: 'RETRY' }
  | { readonly type: 'CHANGED' }
  | { readonly type: 'AUDIT' }
  /** Peers have no route of ours any more, or had their time. */
  | { readonly type: 'SETTLED'; readonly leaving: boolean }
  | { readonly type: 'LOST' }
  | { readonly type: 'EXITED' }
  | { readonly type: 'DRAIN' }
  | { readonly type: 'KEEP' }
  | { readonly type: 'TIMER'; readonly timer: string };

/** Whom GetBgp and the names of our objects show. */
export type Found = 'empty' | 'same' | 'different' | 'foreign';
/** How a different router becomes ours. */
export type Remedy = 'restart' | 'respawn' | 'none';

export type ConnectionState =
  | 'stopped' | 'connecting' | 'spawning' | 'inspecting' | 'starting' | 'syncing' | 'live'
  | 'backoff' | 'blocked' | 'draining' | 'closing';

const open = { type: 'open' };
const spawn = { type: 'spawn' };
const wait = { type: 'wait' };
const block = { type: 'block' };
const leave = { target: 'stopped', actions: { type: 'terminate' } } as const;
const keep = { target: 'stopped', actions: { type: 'keep' } } as const;
const drain = { target: 'draining', actions: { type: 'drain' } } as const;
const exited = { target: 'backoff', actions: [{ type: 'exited' }, wait] };
const reopened = { target: 'connecting', actions: [{ type: 'lost' }, open] };
const failed = [
  {
    guard: ({ event }: { readonly event: ConnectionEvent }) => (
      event.type === 'FAILED' && event.lasting
    ),
    target: 'blocked', actions: block,
  },
  { target: 'backoff', actions: wait },
] as const;

/** The connection to one daemon (bgp.md 6, first table). */
export const connectionMachine = createMachine({
  types: {} as { events: ConnectionEvent; actions: MachineEffect },
  id: 'connection',
  initial: 'stopped',
  states: {
    stopped: { on: { CONFIGURE: { target: 'connecting', actions: open } } },
    connecting: {
      on: {
        OPENED: { target: 'inspecting', actions: { type: 'inspect' } },
        REFUSED: [
          { guard: ({ event }) => event.child === 'none', target: 'spawning', actions: spawn },
          { guard: ({ event }) => event.child === 'young', actions: { type: 'reopen' } },
          { target: 'backoff', actions: wait },
        ],
        FAILED: failed, EXITED: exited, DRAIN: leave, KEEP: keep,
      },
    },
    spawning: {
      on: {
        SPAWNED: { target: 'connecting', actions: open },
        FAILED: failed, EXITED: exited, DRAIN: leave, KEEP: keep,
      },
    },
    inspecting: {
      on: {
        INSPECTED: [
          {
            guard: ({ event }) => event.found === 'empty',
            target: 'starting', actions: { type: 'start' },
          },
          {
            guard: ({ event }) => event.found === 'same',
            target: 'syncing', actions: { type: 'sync' },
          },
          {
            guard: ({ event }) => event.found === 'different' && event.remedy === 'restart',
            target: 'starting', actions: { type: 'restart' },
          },
          {
            guard: ({ event }) => event.found === 'different' && event.remedy === 'respawn',
            target: 'spawning', actions: { type: 'respawn' },
          },
          { target: 'blocked', actions: block },
        ],
        FAILED: failed, LOST: reopened, EXITED: exited, DRAIN: drain, KEEP: keep,
      },
    },
    starting: {
      on: {
        DONE: { target: 'syncing', actions: { type: 'sync' } },
        FAILED: failed, EXITED: exited, DRAIN: leave, KEEP: keep,
      },
    },
    syncing: {
      on: {
        DONE: { target: 'live', actions: { type: 'live' } },
        CONFIGURE: {
          guard: ({ event }) => event.changed, target: 'draining', actions: { type: 'replace' },
        },
        FAILED: failed, LOST: reopened, EXITED: exited, DRAIN: drain, KEEP: keep,
      },
    },
    live: {
      on: {
        CHANGED: { actions: { type: 'plan' } },
        AUDIT: { actions: { type: 'audit' } },
        CONFIGURE: {
          guard: ({ event }) => event.changed, target: 'draining', actions: { type: 'replace' },
        },
        FAILED: failed, LOST: reopened, EXITED: exited, DRAIN: drain, KEEP: keep,
      },
    },
    backoff: {
      on: {
        RETRY: { target: 'connecting', actions: open },
        EXITED: { actions: { type: 'exited' } },
        CONFIGURE: {
          guard: ({ event }) => event.changed, target: 'connecting', actions: open,
        },
        DRAIN: leave, KEEP: keep,
      },
    },
    blocked: {
      on: {
        CONFIGURE: {
          guard: ({ event }) => event.changed, target: 'connecting', actions: open,
        },
        EXITED: exited, DRAIN: leave, KEEP: keep,
      },
    },
    draining: {
      on: {
        SETTLED: [
          {
            guard: ({ event }) => event.leaving, target: 'closing', actions: { type: 'close' },
          },
          { target: 'connecting', actions: open },
        ],
        // Whoever wanted other global values now wants none.
        DRAIN: { actions: { type: 'drain' } },
        EXITED: { target: 'stopped', actions: { type: 'terminate' } },
        KEEP: keep,
      },
    },
    closing: {
      on: {
        DONE: { target: 'stopped', actions: { type: 'terminate' } },
        EXITED: { target: 'stopped', actions: { type: 'terminate' } },
        KEEP: keep,
      },
    },
  },
});
