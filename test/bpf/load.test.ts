import anyTest from 'ava';
import type { Options } from '../../bpf/layout.gen.ts';
import { uplinkVectors } from '../vectors/uplink.ts';
import { KernelRun, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const programs = [
  'fl_connect4', 'fl_connect6', 'fl_from_pod', 'fl_getpeername4', 'fl_getpeername6',
  'fl_post_bind4', 'fl_post_bind6', 'fl_recvmsg4', 'fl_recvmsg6', 'fl_sendmsg4', 'fl_sendmsg6',
  'fl_sock_release', 'fl_to_pod', 'fl_uplink_in', 'fl_uplink_out',
];

// One object serves every setting: the verifier removes what is off, and must like the rest.
const settings: readonly Partial<Options>[] = [
  { test: 0 },
  { ethernet: 0 },
  { hasLoop: 0, hasSetRetval: 0, hasCoarseClock: 0, hasCheckMtu: 0, test: 0 },
  { socketFull: 0, bindProtection: 0, vipGuard: 0, vipEcho: 0, externalClusterIp: 0 },
  { noEndpoints: 1, midstream: 1 },
  { midstream: 2, snatPortLo: 60_000, snatPortHi: 60_000 },
  { hasCsumIpv6: 1 },
];

for (const options of settings) {
  test(`the verifier takes every program with ${JSON.stringify(options)}`, (t) => {
    t.deepEqual([...kernel!.rig(options).object.programs.keys()].toSorted(), programs);
  });
}

test('without bpf_loop the first ports are probed all the same', (t) => {
  const vector = { ...uplinkVectors[0]!, options: { hasLoop: 0 } };
  const rig = kernel!.begin(vector);
  const step = vector.steps[0]!;
  t.deepEqual(kernel!.step(rig, vector, step).packet, step.bytes);
});
