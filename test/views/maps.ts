import type { MapReader } from '../../bpf/views/mapreader.ts';
import type { MapsNow } from '../../cli/nodemaps.ts';
import type { OutputFlags } from '../../cli/output.ts';
import type { Session } from '../../cli/session.ts';
import type { MapEntry } from '../../lb/ports.ts';

export interface Shown {
  readonly out: string;
  readonly err: string;
  readonly exitCode: number;
}

type Print<Flags> = (session: Session, flags: Flags, now: MapsNow) => Promise<void>;

/** What a view prints of the maps of node n-a, at second 1,000 of its clocks. */
export async function shown<Flags extends OutputFlags>(
  print: Print<Flags>, maps: MapReader,
  flags: Omit<Flags, 'headers' | 'output'> & Partial<OutputFlags>,
): Promise<Shown> {
  const out: string[] = [];
  const err: string[] = [];
  const session: Session = {
    exitCode: 0,
    console: {
      out: (text) => void out.push(text), err: (text) => void err.push(text),
      outTty: false, env: {}, input: () => Promise.resolve(''),
    },
  };
  const now: MapsNow = {
    source: 'cluster', nodes: [{ node: 'n-a', maps }], nowSeconds: 1_000,
    bootNs: 1_000_000_000_000n,
  };
  await print(session, { output: 'table', headers: true, ...flags } as unknown as Flags, now);
  return { out: out.join(''), err: err.join(''), exitCode: session.exitCode };
}

/** The maps with rows of one map put in or, without value, taken out. */
export function altered(
  maps: MapReader, map: string, rows: readonly { key: Uint8Array; value?: Uint8Array }[],
): MapReader {
  const changes = new Map(rows.map((row) => [text(row.key), row]));
  const fresh = rows.filter((row): row is MapEntry => row.value !== undefined);
  return {
    lookup: (name, key) => {
      const change = name === map ? changes.get(text(key)) : undefined;
      return change === undefined ? maps.lookup(name, key) : change.value;
    },
    dump: (name) => {
      const entries = maps.dump(name);
      if (name !== map) return entries;
      return [...entries.filter(({ key }) => !changes.has(text(key))), ...fresh];
    },
  };
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The key of a cell of an array. */
export function cell(index: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, index, true);
  return key;
}
