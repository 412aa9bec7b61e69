import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as layout from '../../bpf/layout.gen.ts';
import { compile, type CompiledObject, type CompileOptions } from '../../bpf/vm/compile.ts';
import { Machine } from '../../bpf/vm/machine.ts';
import { loadObject } from '../../bpf/vm/object.ts';
import type { HostCalls } from '../../bpf/vm/runtime.ts';
import type { MapEntry } from '../../lb/ports.ts';
import { root } from '../tidy/sources.ts';
import { shownEvent } from '../vectors/shown.ts';
import type { Step, Vector } from '../vectors/vector.ts';
import { quietHost } from './bed.ts';
import { configRow, deviceRow, encodeRows, type ObjectRow } from './object-rows.ts';
import { lookup, type Devices } from './routes.ts';

const objectFiles = { shipped: 'bpf/fairlead.bpf.o', sockets: 'bpf/socket-test.bpf.o' } as const;
const verdicts: ReadonlyMap<number, string> = new Map([[-1, 'next'], [2, 'drop'], [7, 'redirect']]);

/** What one packet came to. */
export interface Ran {
  readonly verdict: string;
  readonly packet: Uint8Array;
  readonly events: readonly string[];
  /** The device of a redirect. */
  readonly redirect: number | undefined;
}

/** The shipped object, or that of the socket core under tc, for these options, in test mode. */
export function compileObject(
  how: CompileOptions, options: Partial<layout.Options> = {},
  file: keyof typeof objectFiles = 'shipped',
): CompiledObject {
  const object = loadObject(readFileSync(join(root, objectFiles[file])));
  const variable = object.variables.find(({ name }) => name === 'fl_options')!;
  const initial = object.sections[variable.section]!.bytes.slice(variable.offset);
  const chosen = { ...layout.decodeOptions(initial), test: 1, ...options };
  return compile(object, { ...how, variables: { fl_options: layout.encodeOptions(chosen) } });
}

/** sizeof(struct bpf_fib_lookup) */
const routeRequestBytes = 64;

/** A socket call with its time and its chance. */
export interface CallStep {
  readonly record: Uint8Array;
  readonly seconds: number;
  readonly draw: number;
}

/** Executor E2: the shipped object in the engine, on a node with two devices. */
export class ObjectRun {
  readonly machine: Machine;
  readonly #devices: Devices;

  /** Routes are those of `routes.ts` unless they are given. */
  constructor(
    compiled: CompiledObject, devices: Devices,
    routeLookup: HostCalls['routeLookup'] = (memory, at) => (
      lookup(memory.subarray(at, at + routeRequestBytes), devices)
    ),
  ) {
    this.#devices = devices;
    const host = { ...quietHost, routeLookup };
    this.machine = new Machine(compiled, { host, seed: 1 });
    this.write(deviceRow(devices.uplink));
  }

  begin({ rows }: Vector): void {
    for (const row of encodeRows(rows)) this.write(row);
  }

  step({ cfg }: Pick<Vector, 'cfg'>, step: Omit<Step, 'verdict'>): Ran {
    const { rows, repeat = 1 } = step;
    if (rows !== undefined) for (const row of encodeRows(rows)) this.write(row);
    this.write(configRow(step.seconds, step.draw ?? 0, cfg));
    const context = new Uint8Array(192);
    const view = new DataView(context.buffer);
    view.setUint32(8, step.mark ?? 0, true);
    view.setUint32(40, this.#devices[step.device], true);
    let outcome = this.machine.runPacket(step.program, { bytes: step.packet, context });
    for (let round = 1; round < repeat; round += 1) {
      outcome = this.machine.runPacket(step.program, { bytes: step.packet, context });
    }
    const verdict = outcome.verdict | 0;
    return {
      verdict: verdicts.get(verdict) ?? String(verdict), packet: outcome.bytes,
      events: this.machine.ring('fl_events').drain(100_000).map(shownEvent),
      redirect: verdict === 7 ? outcome.redirect?.ifindex : undefined,
    };
  }

  /** One socket call, a `struct fl_call`, through the core of the socket hooks. */
  call({ cfg }: Pick<Vector, 'cfg'>, step: CallStep): Uint8Array {
    this.write(configRow(step.seconds, step.draw, cfg));
    const bytes = new Uint8Array(14 + layout.callBytes);
    bytes.set(step.record, 14);
    return this.machine.runPacket('fl_socket_test', { bytes }).bytes.subarray(14);
  }

  /** Writes a row as the agent does. */
  write({ map, key, value }: ObjectRow): void {
    const written = this.machine.map(map).update({ key, value }, 'any');
    if (!written.ok) throw new Error(`${map} refuses a row with ${written.error.kind}`);
  }

  dump(map: string): readonly MapEntry[] {
    return this.machine.map(map).dump();
  }
}
