import type { ProgramHandle } from '../../../bpf/native.real.ts';
import { runtimeDefaults, type RuntimeSettings } from '../../../bpf/datapath/nodetables.ts';
import { isRefused } from '../../../bpf/refusal.real.ts';
import { tcpFrame } from '../../../bpf/tcpframe.ts';
import { ip } from '../../../lb/ip.ts';
import { BenchNode } from './node.ts';
import { kernelMachine } from './ready.ts';
import { benchServices, place, type BenchService } from './services.ts';

const synFlag = 2;
const ackFlag = 16;
const next = -1;
const clientPort = 40_000;
const mirrored = '10.200.0.11';

/**
 * `fl_uplink_in` under BPF_PROG_TEST_RUN, which runs over one packet again and again. So that each
 * run translates, two fronts are each other's only endpoint: the packet goes to and fro between
 * them, and after every second run is what it was.
 */
export class TestRun {
  readonly #node: BenchNode;
  readonly #program: ProgramHandle;
  #port = clientPort;

  constructor(count: number, events: RuntimeSettings['events']) {
    const found = kernelMachine();
    if ('missing' in found) throw new Error(found.missing);
    this.#node = new BenchNode(found.addon, {
      scale: count > 20_000 ? 4 : 1, vip: count > 1, runtime: { ...runtimeDefaults, events },
    });
    this.#node.list([...benchServices(count).slice(0, -1), ...mirrors()]);
    this.#node.program();
    this.#program = this.#node.programOf('fl_uplink_in');
    for (const target of [place.clusterIp, mirrored]) this.#run(frame(target, synFlag), 1);
  }

  /** Nanoseconds for a packet of a known flow, translation included. */
  established(repeat: number): number {
    const packet = frame(place.clusterIp, ackFlag);
    const [once, twice] = [1, 2].map((runs) => this.#run(packet, runs).out);
    const same = (out: Buffer | undefined): boolean => (
      out !== undefined && out.subarray(0, packet.length).equals(packet)
    );
    if (same(once) || !same(twice)) throw new Error('the packet was not translated to and fro');
    return this.#run(packet, repeat).ns;
  }

  /** Nanoseconds for a TCP packet to an address that is no front. */
  notOurs(repeat: number): number {
    return this.#run(frame('10.99.0.1', ackFlag), repeat).ns;
  }

  /** Nanoseconds for the first packet of a flow: each is run once, the timer's cost included. */
  newFlows(count: number): number[] {
    return Array.from({ length: count }, () => {
      this.#port = this.#port === 65_535 ? 1_024 : this.#port + 1;
      return this.#run(frame(place.clusterIp, synFlag, this.#port), 1).ns;
    });
  }

  /** The same for packets that are not ours: what a single run costs beside the program. */
  singles(count: number): number[] {
    return Array.from({ length: count }, () => this.notOurs(1));
  }

  /** Flows that were made for one figure are in nobody's way in the next. */
  forgetFlows(): void {
    this.#node.forgetFlows();
    this.#port = clientPort;
    for (const target of [place.clusterIp, mirrored]) this.#run(frame(target, synFlag), 1);
  }

  #run(packet: Uint8Array, repeat: number): { readonly ns: number; readonly out: Buffer } {
    const out = Buffer.alloc(packet.length + 256);
    const result = this.#node.addon.programRun(
      this.#program, packet, out, undefined, undefined, repeat,
    );
    if (isRefused(result)) throw new Error(`test run: errno ${-result}`);
    const [verdict = 0, ns = 0] = result as readonly number[];
    if ((verdict | 0) !== next) throw new Error(`verdict ${verdict | 0} for a packet of the bench`);
    return { ns, out };
  }
}

function mirrors(): BenchService[] {
  return [[place.clusterIp, mirrored], [mirrored, place.clusterIp]].map(([from = '', to = '']) => ({
    name: `mirror-${from}`, clusterIp: from, port: 80, endpoints: [{ ip: to, port: 80 }],
  }));
}

function frame(target: string, flags: number, sourcePort = clientPort): Uint8Array {
  return tcpFrame({
    source: ip(place.client), sourcePort, target: ip(target), targetPort: place.servicePort, flags,
  });
}
