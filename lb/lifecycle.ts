import { createMachine } from 'xstate';
import { MachineHost, type MachineEffect } from './machine.ts';
import type { Clock, Micros } from './ports.ts';

/** What the life of an agent hears. */
export type LifeEvent =
  | { readonly type: 'START' }
  /** Every listing is complete. */
  | { readonly type: 'LISTED' }
  /** The node serves: tables, programs on hooks, self-test; or no longer. */
  | { readonly type: 'SERVING' }
  | { readonly type: 'FAULTY' }
  /** Hand over what is held and stay so, until `UNDRAIN`. */
  | { readonly type: 'DRAIN' }
  | { readonly type: 'UNDRAIN' }
  /** Hand over and announce anew, as after a change of settings. */
  | { readonly type: 'RENEW' }
  | { readonly type: 'STOP' }
  /** Nothing is held any more. */
  | { readonly type: 'WITHDRAWN' }
  | { readonly type: 'TIMER'; readonly timer: string };

/**
 * `syncing`: waits for listings. `restoring`: adopts tables and puts programs on their hooks.
 * `draining` and `renewing` hand over; `drained` serves and announces nothing; `leaving` hands over
 * for good.
 */
export type LifeState =
  | 'idle' | 'syncing' | 'restoring' | 'running' | 'draining' | 'drained' | 'renewing' | 'leaving'
  | 'ended';

/** An announcer needs 4 s at most (l2.md L4); what takes longer is left to the fence. */
const withdrawalUsual: Micros = 6_000_000;

const announce: MachineEffect[] = [{ type: 'announce' }, { type: 'look' }];
const close: MachineEffect[] = [{ type: 'disarm' }, { type: 'close' }];

/** The life of one node's agent: start, sync, restore, run, drain, end. */
type LifeMachine = ReturnType<typeof lifeMachine>;
function lifeMachine(withdrawalMax: Micros) {
  const withdraw: MachineEffect[] = [
    { type: 'arm', params: { timer: 'withdrawal', delay: withdrawalMax } }, { type: 'withdraw' },
  ];
  /** What may be asked of an agent that announces. */
  const asked = {
    DRAIN: { target: 'draining', actions: withdraw },
    RENEW: { target: 'renewing', actions: withdraw },
    STOP: { target: 'leaving', actions: withdraw },
  } as const;
  return createMachine({
    types: {} as { events: LifeEvent; actions: MachineEffect },
    id: 'agent',
    initial: 'idle',
    states: {
      idle: {
        on: {
          START: { target: 'syncing', actions: [{ type: 'open' }, ...announce] },
          STOP: { target: 'ended', actions: close },
        },
      },
      syncing: {
        on: {
          ...asked,
          LISTED: { target: 'restoring', actions: { type: 'look' } },
        },
      },
      restoring: { on: { ...asked, SERVING: { target: 'running' } } },
      running: { on: { ...asked, FAULTY: { target: 'restoring' } } },
      draining: {
        on: {
          WITHDRAWN: { target: 'drained', actions: { type: 'disarm' } },
          TIMER: { target: 'drained' },
          UNDRAIN: { target: 'renewing' },
          STOP: { target: 'leaving' },
        },
      },
      drained: {
        on: {
          UNDRAIN: { target: 'syncing', actions: announce },
          STOP: { target: 'ended', actions: close },
        },
      },
      renewing: {
        on: {
          WITHDRAWN: { target: 'syncing', actions: [{ type: 'disarm' }, ...announce] },
          STOP: { target: 'leaving' },
          DRAIN: { target: 'draining' },
        },
      },
      leaving: {
        on: {
          WITHDRAWN: { target: 'ended', actions: close },
          TIMER: { target: 'ended', actions: close },
        },
      },
      ended: {},
    },
  });
}

/** What a life asks of the agent that leads it. */
export interface LifeEffects {
  /** Begins to list, watch and program. */
  open(): void;
  /** Announces by the settings of now. */
  announce(): void;
  /** Hands everything over, and calls back once nothing is held. */
  withdraw(done: () => void): void;
  /** Ends everything; nothing is called afterwards. */
  close(): void;
  /** Whether every listing is complete. */
  listed(): boolean;
  /** Whether tables and programs serve. */
  serving(): boolean;
}

/** One agent's life. */
export class Life {
  #host: MachineHost<LifeMachine>;
  #effects: LifeEffects;

  /** `withdrawalMax`: how long handing over may take before the life goes on without. */
  constructor(clock: Clock, effects: LifeEffects, withdrawalMax = withdrawalUsual) {
    this.#effects = effects;
    this.#host = new MachineHost(lifeMachine(withdrawalMax), {
      clock,
      execute: ({ type }) => this.#execute(type),
    });
  }

  get state(): LifeState {
    // The states of the machine are those of the type.
    return this.#host.state as LifeState;
  }

  send(event: LifeEvent): void {
    this.#host.send(event);
  }

  /** Facts may have changed. */
  look(): void {
    const { state } = this;
    if (state === 'syncing') {
      if (this.#effects.listed()) this.send({ type: 'LISTED' });
    } else if (state === 'restoring') {
      if (this.#effects.serving()) this.send({ type: 'SERVING' });
    } else if (state === 'running' && !this.#effects.serving()) this.send({ type: 'FAULTY' });
  }

  #execute(type: string): void {
    const effects = this.#effects;
    switch (type) {
      case 'open': return effects.open();
      case 'announce': return effects.announce();
      case 'withdraw': return effects.withdraw(() => this.send({ type: 'WITHDRAWN' }));
      case 'close':
        this.#host.stop();
        return effects.close();
      default: return this.look();
    }
  }
}
