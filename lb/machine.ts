import {
  initialTransition, transition, type AnyStateMachine, type EventFromLogic, type SnapshotFrom,
} from 'xstate';
import type { Clock, Micros, Timer } from './ports.ts';
import { assert } from './result.ts';

/** What a transition asks for: data, executed by the host's owner after the state has changed. */
export interface Effect {
  readonly type: string;
  readonly params: unknown;
}

/** An effect as a machine's definition names it. */
export interface MachineEffect {
  readonly type: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

export interface MachineOptions {
  readonly clock: Clock;
  /** Carries one effect out. It may send events, which wait until the present one is done. */
  readonly execute: (effect: Effect) => void;
  /** Called after each event was taken, before its effects: the state may be another one. */
  readonly moved?: () => void;
  /** Every callback of a timer passes here, so that an owner can look at its clock first. */
  readonly wake?: (callback: () => void) => void;
}

/** Parameters of the effects `arm` and `disarm`, which the host itself carries out. */
export interface ArmParams {
  readonly timer: string;
  readonly delay: Micros;
}

/**
 * The one place that runs xstate machines: pure transitions, effects as data, timers on a `Clock`.
 * No actors, no `after`: xstate's own scheduler brings a clock and random ids (simulator.md D11).
 * Effect `arm` replaces the timer of that name and sends `{type: 'TIMER', timer}` when it is due;
 * `disarm` without a name forgets all timers.
 */
export class MachineHost<Logic extends AnyStateMachine> {
  #logic: Logic;
  #options: MachineOptions;
  #snapshot: SnapshotFrom<Logic>;
  #timers = new Map<string, Timer>();
  #waiting: EventFromLogic<Logic>[] = [];
  #busy = false;

  constructor(logic: Logic, options: MachineOptions) {
    this.#logic = logic;
    this.#options = options;
    // The cast drops xstate's optional-input tuple: our machines take none.
    const start = initialTransition as (of: Logic) => [SnapshotFrom<Logic>, readonly Effect[]];
    const [snapshot, effects] = start(logic);
    assert(effects.length === 0, `the initial state of ${logic.id} asks for nothing`);
    this.#snapshot = snapshot;
  }

  /** Name of the current state; our machines are flat. */
  get state(): string {
    const { value } = this.#snapshot;
    assert(typeof value === 'string', `machine ${this.#logic.id} is flat`);
    return value;
  }

  get snapshot(): SnapshotFrom<Logic> {
    return this.#snapshot;
  }

  get armed(): boolean {
    return this.#timers.size > 0;
  }

  /** Runs to completion: an event sent by an effect is taken after all effects of this one. */
  send(event: EventFromLogic<Logic>): void {
    this.#waiting.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next === undefined) return;
        this.#step(next);
      }
    } finally {
      this.#busy = false;
    }
  }

  /** Forgets every timer; the machine hears nothing more of its own accord. */
  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #step(event: EventFromLogic<Logic>): void {
    const [snapshot, effects] = transition(this.#logic, this.#snapshot, event);
    this.#snapshot = snapshot;
    this.#options.moved?.();
    for (const effect of effects) this.#execute({ type: effect.type, params: effect.params ?? {} });
  }

  #execute(effect: Effect): void {
    if (effect.type === 'arm') this.#arm(effect.params as ArmParams);
    else if (effect.type === 'disarm') this.stop();
    else this.#options.execute(effect);
  }

  #arm({ timer, delay }: ArmParams): void {
    this.#timers.get(timer)?.cancel();
    const fire = (): void => {
      this.#timers.delete(timer);
      this.send({ type: 'TIMER', timer } as EventFromLogic<Logic>);
    };
    const { clock, wake } = this.#options;
    this.#timers.set(timer, clock.after(delay, wake === undefined ? fire : () => wake(fire)));
  }
}
