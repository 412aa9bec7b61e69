import { exitCodes } from '../exit.ts';
import type { Session } from '../session.ts';
import type { ConfigSources, Configuration } from './configuration.ts';
import { ConfigWatch, type ConfigChange } from './configwatch.ts';
import { logOf, logSettings, type Log } from './log.ts';
import { Meters } from './meters.ts';
import { agentMetrics, controllerMetrics } from './metriclist.ts';
import { Pulse } from './probes.ts';
import { nodeNameOf } from './values.ts';

/** Why a life is to end. */
export type LifeEnd =
  | { readonly kind: 'signal'; readonly name: string }
  /** A setting changed that takes a restart. */
  | { readonly kind: 'restart' };

/** What a life of a process has around it. */
export interface Surroundings {
  readonly role: 'agent' | 'controller';
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly nodeName: string;
  readonly log: Log;
  readonly pulse: Pulse;
  readonly meters: Meters;
  readonly watch: ConfigWatch;
  /** In force at the beginning of this life. */
  readonly configuration: Configuration;
  readonly end: Promise<LifeEnd>;
  /** Called with changes that are in force at once. */
  readonly onChange: (listener: (change: ConfigChange) => void) => void;
  /** Called when the file is refused, with what is wrong. */
  readonly onRejected: (listener: (text: string) => void) => void;
}

export interface LivesOrder {
  readonly session: Session;
  readonly sources: ConfigSources;
  readonly configuration: Configuration;
  readonly role: 'agent' | 'controller';
  /** One life: resolves when everything that it opened is closed. */
  readonly live: (surroundings: Surroundings) => Promise<void>;
}

/**
 * Runs one life of a process after the other until a signal ends it. A setting that takes a restart
 * ends a life in order, and the next one begins in the same process with the new configuration.
 */
export async function runLives(order: LivesOrder): Promise<void> {
  const { session: { console }, sources, role } = order;
  const { values } = order.configuration;
  const nodeName = nodeNameOf(values);
  const meters = new Meters(role === 'agent' ? agentMetrics : controllerMetrics);
  const log = logOf(console, { values, node: nodeName, measure: meters.take });
  tellWarnings(log, order.configuration);
  endOnBug(log);
  const pulse = new Pulse();
  const signal = stopSignal();
  let changed: (change: ConfigChange) => void = () => undefined;
  let rejected: (text: string) => void = () => undefined;
  const watch = new ConfigWatch({
    sources, configuration: order.configuration, role, journal: log,
    accepted: (change) => {
      log.settings = logSettings(change.configuration.values);
      tellWarnings(log, change.configuration);
      changed(change);
    },
    rejected: (text) => rejected(text),
  });
  for (;;) {
    const listeners: ((change: ConfigChange) => void)[] = [];
    const restart = new Promise<LifeEnd>((resolve) => {
      changed = (change) => {
        if (change.restart) resolve({ kind: 'restart' });
        else for (const listener of listeners) listener(change);
      };
    });
    const end = Promise.race([signal, restart]);
    await order.live({
      role, env: console.env, nodeName, log, pulse, meters, watch, end,
      configuration: watch.configuration,
      onChange: (listener) => void listeners.push(listener),
      onRejected: (listener) => { rejected = listener; },
    });
    const why = await end;
    if (why.kind === 'signal') {
      log.note({
        level: 'info', component: role, code: `${role}.stopped`, text: `ended by ${why.name}`,
      });
      break;
    }
    log.note({
      level: 'info', component: role, code: `${role}.restarts`,
      text: 'a setting changed that takes a restart',
    });
  }
  watch.close();
  pulse.stop();
  meters.close();
}

/** A bug ends the process: pinned programs forward on, fences fall silent, a restart adopts. */
function endOnBug(log: Log): void {
  process.on('uncaughtException', (error) => {
    log.note({
      level: 'error', component: 'fairlead', code: 'bug',
      text: `this is a bug in fairlead; please report it with: ${error.stack ?? error.message}`,
    });
    process.exit(exitCodes.bug);
  });
}

function tellWarnings(log: Log, { warnings }: Configuration): void {
  for (const text of warnings) {
    log.note({ level: 'warn', component: 'config', code: 'config.clamped', text });
  }
}

/** The first signal that asks this process to end; a second one ends it as it does everybody. */
function stopSignal(): Promise<LifeEnd> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.once(name, () => resolve({ kind: 'signal', name }));
    }
  });
}
