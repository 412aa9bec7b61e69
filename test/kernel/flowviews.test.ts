import anyTest from 'ava';
import { printFlows } from '../../cli/lbviews.ts';
import { KernelRun, skip } from '../bpf/kernel-run.ts';
import { at, service } from '../vectors/fixture.ts';
import { frame } from '../vectors/packet.ts';
import type { Step } from '../vectors/vector.ts';
import { shown } from '../views/maps.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

type Ports = readonly [number, number];
const arrives = (source: string, target: string, ports: Ports, flags: string) => (
  frame({ source, target, body: { kind: 'tcp', ports, flags } })
);
const step = (packet: Uint8Array, draw: number): Step => ({
  program: 'fl_uplink_in', device: 'uplink', packet, seconds: 990, draw, verdict: 'redirect',
});

/** What `lb ct` prints ten seconds after the last packet, cell by cell. */
async function listed(...steps: readonly Step[]): Promise<string[]> {
  const vector = { name: 'views', rows: service(), steps };
  const rig = kernel!.begin(vector);
  for (const one of steps) kernel!.step(rig, vector, one);
  const { out } = await shown(printFlows, rig.kernel, { headers: false });
  return out.trimEnd().split('\n').map((line) => line.split(/ {3,}/u).slice(1).join(' '));
}

const remote = '203.0.113.7:40000 198.51.100.10:80 10.64.2.21:8080 192.0.2.11:57707';
const local = '203.0.113.7:40000 198.51.100.10:80 10.64.1.21:8080 -';
const syn = arrives(at.x, at.vip, [40000, 80], 'S');

test('V49: rows that the program wrote read as one connection through this node', async (t) => {
  t.deepEqual(await listed(step(syn, 1)), [
    `forward TCP ${remote} handshake 10s`, `reply TCP ${remote} handshake 10s`,
  ]);
});

test('V50: the answer opens both halves', async (t) => {
  t.deepEqual(await listed(step(syn, 1), step(arrives(at.b1, at.node, [8080, 57707], 'SA'), 0)), [
    `forward TCP ${remote} open 10s`, `reply TCP ${remote} open 10s`,
  ]);
});

test('V51: towards a local endpoint nothing is translated', async (t) => {
  t.deepEqual(await listed(step(syn, 0)), [
    `forward TCP ${local} handshake 10s`, `reply TCP ${local} handshake 10s`,
  ]);
});

test('a reset closes both halves, and ten seconds later they have expired', async (t) => {
  const reset = arrives(at.x, at.vip, [40000, 80], 'RA');
  t.deepEqual(await listed(step(syn, 1), step(reset, 0)), [
    `forward TCP ${remote} expired 10s`, `reply TCP ${remote} expired 10s`,
  ]);
});
