import { primaryAddress, type NodeFacts } from '../../lb/datapathoptions.ts';
import { bitsOf, familyOf, ipBytes16, ipFromNumber, parsePrefix, type Ip } from '../../lb/ip.ts';
import type { Clock, KernelError, KernelPort, MapEntry } from '../../lb/ports.ts';
import { Reconciler, retryDelaysDefault } from '../../lb/reconciler.ts';
import { assert } from '../../lb/result.ts';
import {
  encodeCfg, encodeDev, encodeDevKey, encodeNet, encodeNetKey, encodeNetns, encodeNetnsKey,
  eventLevel, netBit, netnsFlag,
} from '../layout.gen.ts';
import type { DatapathDeviceFacts, DeviceFacts, PodFacts } from './devices.ts';
import { bytesText } from './image.ts';
import type { MapName } from './writer.ts';

/** Run-time switches of the programs (`fl_cfg`). */
export interface RuntimeSettings {
  readonly events: keyof typeof eventLevel;
  /** With `sampled`: one in this many. */
  readonly eventSample: number;
  /** Refusals per second and CPU, and how many at once (datapath.md 8.5). */
  readonly refusalRate: number;
  readonly refusalBurst: number;
}

export const runtimeDefaults: RuntimeSettings = {
  events: 'drops', eventSample: 1, refusalRate: 500, refusalBurst: 1_000,
};

const roundRowsMax = 1_000;
const ethernetBytes = 14;
const tables = ['fl_net', 'fl_dev', 'fl_netns', 'fl_cfg'] as const satisfies readonly MapName[];
type TableName = (typeof tables)[number];

/**
 * The tables of a node that hang on no service port: ranges of Services, devices, pods, switches.
 * One element is one fact, so each is reconciled by itself.
 */
export class NodeTables {
  #kernel: KernelPort;
  #runtime: RuntimeSettings;
  #rows: Readonly<Record<TableName, Reconciler<MapEntry, KernelError>>>;

  constructor(clock: Clock, kernel: KernelPort, runtime: RuntimeSettings) {
    this.#kernel = kernel;
    this.#runtime = runtime;
    const make = (map: TableName) => new Reconciler<MapEntry, KernelError>(
      clock, {
        update: (_key, entry) => kernel.update(map, entry, 'any'),
        delete: (key) => kernel.remove(map, textBytes(key)),
      }, {
        equal: (left, right) => bytesText(left.value) === bytesText(right.value),
        roundRowsMax, retryDelays: retryDelaysDefault,
      },
    );
    this.#rows = {
      fl_net: make('fl_net'), fl_dev: make('fl_dev'), fl_netns: make('fl_netns'),
      fl_cfg: make('fl_cfg'),
    };
  }

  /** Adopts the rows of an earlier process. */
  restore(): void {
    for (const map of tables) {
      for (const entry of this.#kernel.dump(map)) {
        this.#rows[map].adopt(bytesText(entry.key), entry);
      }
    }
  }

  /** `devices` undefined: what there is of devices and pods stays. */
  want(facts: NodeFacts, devices: DatapathDeviceFacts | undefined): void {
    this.#want('fl_net', facts.options.serviceRanges.map(netRow));
    if (devices !== undefined) {
      this.#want('fl_dev', devices.devices.map(deviceRow));
      this.#want('fl_netns', devices.pods.map(podRow));
      this.#want('fl_cfg', [this.#switches(facts, devices.nodeCookie)]);
    }
  }

  round(): void {
    for (const map of tables) if (!this.#rows[map].idle) this.#rows[map].round();
  }

  /** Compares the maps with what is known of them; how many rows were not as written. */
  audit(): number {
    let repairs = 0;
    for (const map of tables) {
      const rows = this.#rows[map];
      const present = new Map(this.#kernel.dump(map).map((of) => [bytesText(of.key), of]));
      for (const key of new Set([...rows.held(), ...present.keys()])) {
        const known = rows.actual(key);
        const found = present.get(key);
        if (bytesText(known?.value ?? empty) === bytesText(found?.value ?? empty)) continue;
        rows.observe(key, found);
        repairs += 1;
      }
    }
    return repairs;
  }

  pending(): readonly string[] {
    return tables.flatMap((map) => this.#rows[map].pending().map(() => `a row of ${map}`));
  }

  stop(): void {
    for (const map of tables) this.#rows[map].stop();
  }

  #want(map: TableName, wanted: readonly MapEntry[]): void {
    const rows = this.#rows[map];
    const keys = new Set<string>();
    for (const entry of wanted) {
      const key = bytesText(entry.key);
      keys.add(key);
      rows.set(key, entry);
    }
    for (const key of rows.held()) if (!keys.has(key)) rows.remove(key);
  }

  #switches(facts: NodeFacts, nodeCookie: bigint): MapEntry {
    const { events, eventSample, refusalRate, refusalBurst } = this.#runtime;
    const value = encodeCfg({
      eventLevel: eventLevel[events], eventSample, refusalRate, refusalBurst, nodeCookie,
      testNowNs: 0n, testBootNs: 0n, testDraws: 0n,
      node4: addressOrNone(primaryAddress(facts, 'IPv4')),
      node6: addressOrNone(primaryAddress(facts, 'IPv6')),
    });
    return { key: new Uint8Array(4), value };
  }
}

const empty: Uint8Array = new Uint8Array(0);

function netRow(text: string): MapEntry {
  const parsed = parsePrefix(text);
  assert(parsed.ok, `${text} is a prefix`);
  const { first, family, prefixBits } = parsed.value;
  const prefixlen = 128 - bitsOf(family) + prefixBits;
  const addr = ipBytes16(ipFromNumber(first, family));
  return { key: encodeNetKey({ prefixlen, addr }), value: encodeNet({ bits: netBit.service }) };
}

function deviceRow({ ifindex, mac, mtu, addresses }: DeviceFacts): MapEntry {
  const value = encodeDev({
    mac: Uint8Array.from((mac ?? '0:0:0:0:0:0').split(':'), (byte) => Number.parseInt(byte, 16)),
    headerLen: mac === undefined ? 0 : ethernetBytes,
    mtu,
    source4: addressOrNone(addresses.find((ip) => familyOf(ip) === 'IPv4')),
    source6: addressOrNone(addresses.find((ip) => familyOf(ip) === 'IPv6')),
  });
  return { key: encodeDevKey({ ifindex }), value };
}

function podRow({ cookie, addresses, ifindex, hooked }: PodFacts): MapEntry {
  const value = encodeNetns({
    addr4: addressOrNone(addresses.find((ip) => familyOf(ip) === 'IPv4')),
    addr6: addressOrNone(addresses.find((ip) => familyOf(ip) === 'IPv6')),
    ifindex,
    flags: hooked ? netnsFlag.hooked : 0,
  });
  return { key: encodeNetnsKey({ cookie }), value };
}

function addressOrNone(ip: Ip | undefined): Uint8Array {
  return ip === undefined ? new Uint8Array(16) : ipBytes16(ip);
}

function textBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
