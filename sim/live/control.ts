import type { Micros } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import { resources } from '../../kube/resource.ts';
import { nodeView } from '../kube/node.ts';
import { faultNames } from '../fault/fault.ts';
import { ScenarioError } from '../scenario/error.ts';
import { formatDuration } from '../scenario/quantity.ts';
import { commandHelp, type Command } from './command.ts';
import type { LiveWorld, Rate } from './live.ts';
import type { LiveSession } from './session.ts';
import { addressesOf } from './addresses.ts';

/** How commands reach the world: the driver's two ways in. */
export interface Drive {
  enter(what: { kind: string; entity: string }, act: () => void): void;
  pace(change: (live: LiveWorld, hostNow: Micros) => void): void;
}

/** Whoever gave a command: `done` is called once, with what there is to say. */
export type Tell = (text: string) => void;

/** What a session is asked besides files and its own end, which are the command line's. */
export type WorldCommand = Exclude<Command, { kind: 'save' } | { kind: 'quit' } | { kind: 'none' }>;

/** Commands of a live cluster: pace, faults, and what is going on. */
export class LiveControl {
  readonly #session: LiveSession;
  readonly #live: LiveWorld;
  readonly #drive: Drive;

  constructor(session: LiveSession, live: LiveWorld, drive: Drive) {
    this.#session = session;
    this.#live = live;
    this.#drive = drive;
  }

  /** Performs one command; `step` and `until` are done when their time has passed. */
  perform(command: WorldCommand, done: Tell): void {
    const live = this.#live;
    switch (command.kind) {
      case 'help': return done(commandHelp);
      case 'status': return done(this.#status());
      case 'faults': return done(this.#faultText());
      case 'pause': {
        this.#drive.pace((paced, now) => { paced.pause(now); });
        return done(`paused at ${this.#time()}\n`);
      }
      case 'resume': {
        this.#drive.pace((paced, now) => { paced.resume(now); });
        return done(`going on at ${rateText(live.rate)}\n`);
      }
      case 'rate': {
        this.#drive.pace((paced, now) => { paced.setRate(now, command.rate); });
        return done(`${rateText(command.rate)}${live.frozen ? ', still paused' : ''}\n`);
      }
      case 'step': return this.#hurry({ time: command.time }, done);
      case 'until': return this.#hurry({ time: command.timeout, state: command.state }, done);
      case 'fault': return this.#strike(command, done);
      case 'heal': {
        let ended = 0;
        this.#drive.enter({ kind: 'live.heal', entity: command.name }, () => {
          ended = this.#session.heal(command.name, command.with);
        });
        return done(ended === 0 ? `no such fault is in force\n` : `healed ${command.name}\n`);
      }
    }
  }

  #hurry(
    goal: { readonly time: Micros; readonly state?: 'converged' | 'quiescent' }, done: Tell,
  ): void {
    const { cluster } = this.#session;
    const open = (): readonly string[] =>
      (goal.state === 'converged' ? cluster.unconverged() : cluster.pending());
    const from = cluster.world.now;
    this.#drive.pace((live) => {
      live.hurry({
        until: from + goal.time,
        ...(goal.state !== undefined && { reached: () => open().length === 0 }),
        done: (reached) => {
          const passed = formatDuration(cluster.world.now - from);
          if (goal.state === undefined) return done(`${passed} passed, now ${this.#time()}\n`);
          if (reached) return done(`${goal.state} after ${passed}, now ${this.#time()}\n`);
          return done(`not ${goal.state} within ${passed}: ${open().slice(0, 5).join('; ')}\n`);
        },
      });
    });
  }

  #strike(command: Command & { kind: 'fault' }, done: Tell): void {
    const { use } = command;
    let refusal: string | undefined;
    this.#drive.enter({ kind: 'live.fault', entity: use.name }, () => {
      try {
        this.#session.strike(use);
      } catch (error) {
        // A name that the cluster does not have; nothing has struck yet.
        if (!(error instanceof ScenarioError)) throw error;
        refusal = error.message;
      }
    });
    done(refusal === undefined ? `${use.name} at ${this.#time()}\n` : `${refusal}\n`);
  }

  #status(): string {
    const { cluster, recording, faults } = this.#session;
    const live = this.#live;
    const pace = live.frozen ? 'paused' : live.hurrying ? 'hurrying' : rateText(live.rate);
    const nodes = cluster.api.list(resources.nodes).map(nodeView);
    const ready = nodes.filter((node) => node.ready === 'True').length;
    const services = cluster.api.list(resources.services).map((service) => {
      const { namespace, name } = service.metadata ?? {};
      return `  ${namespace}/${name}  ${addressesOf(service).join(', ') || 'no address'}\n`;
    });
    const open = cluster.unconverged();
    return [
      `time ${this.#time()}, ${pace}; ${recording.count} deeds recorded\n`,
      `nodes ${ready} of ${nodes.length} ready\n`,
      `services ${services.length}\n`, ...services,
      ...(faults.length === 0 ? [] : [`faults ${faults.map(({ name }) => name).join(', ')}\n`]),
      open.length === 0 ? 'converged\n' : `not converged: ${open.slice(0, 5).join('; ')}\n`,
    ].join('');
  }

  #faultText(): string {
    const inForce = this.#session.faults.map(({ name, with: parameters }) =>
      `in force: ${name} ${JSON.stringify(parameters)}\n`);
    return `${faultNames().sort(compareText).join('\n')}\n${inForce.join('')}`;
  }

  #time(): string {
    return formatDuration(this.#session.cluster.world.now);
  }
}

/** `10x`, `0.5x`. */
export function rateText({ virtual, host }: Rate): string {
  const thousandths = Math.floor((virtual * 1000) / host);
  return `${String(thousandths / 1000)}x`;
}
