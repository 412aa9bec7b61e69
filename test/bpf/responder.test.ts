import anyTest from 'ava';
import fc from 'fast-check';
import * as layout from '../../bpf/layout.gen.ts';
import { encodeNdp, macBytes, macText, type NdpFrame } from '../../l2/frames.ts';
import { respond } from '../../l2/responder.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';
import { service } from '../vectors/fixture.ts';
import { KernelRun, put, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const owner = '02:00:00:00:00:0a';
const held = new Set(['192.0.2.100', '2001:db8::64']);
const vector = { name: 'responder', rows: service(), steps: [] };
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

// l2.md 9.1.
const golden = {
  arpRequest: 'ffffffffffff02000000000c0806000108000604000102000000000cc000020a000000000000c0000264',
  garp: 'ffffffffffff02000000000a0806000108000604000102000000000ac0000264000000000000c0000264',
  nsMulticast: '3333ff00006402000000000c86dd6000000000203aff20010db800000000000000000000000cff0200000000000000000001ff00006487001b4d0000000020010db8000000000000000000000064010102000000000c',
  nsNud: '02000000000a02000000000c86dd6000000000183aff20010db800000000000000000000000c20010db80000000000000000000000648700eead0000000020010db8000000000000000000000064',
  dadNs: '3333ff00006402000000000c86dd6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff00006487004c270000000020010db8000000000000000000000064',
  unsolicited: '33330000000102000000000a86dd6000000000203afffe80000000000000000000000000000aff020000000000000000000000000001880027ee2000000020010db8000000000000000000000064020102000000000a',
} as const;
const { arpRequest, garp, nsMulticast, nsNud, dadNs, unsolicited } = golden;
const ndp = (change: Partial<NdpFrame>): Uint8Array => encodeNdp({
  kind: 'solicitation', ethSource: '02:00:00:00:00:0c', ethTarget: '33:33:ff:00:00:64',
  source: ip('2001:db8::c'), destination: ip('ff02::1:ff00:64'), target: ip('2001:db8::64'),
  linkLayer: '02:00:00:00:00:0c', router: false, solicited: false, override: false,
  hopLimit: 255, ...change,
});
const corpus = [
  ...[arpRequest, garp, nsMulticast, nsNud, dadNs].map(unhex),
  unhex(arpRequest.padEnd(120, 'e')), unhex(arpRequest.padEnd(128, 'e')),
  ndp({ hopLimit: 254 }), ndp({ target: ip('ff02::5') }), ndp({ source: ip('::') }),
  ndp({ source: ip('::'), linkLayer: undefined, destination: ip('2001:db8::64') }),
  ndp({ ethSource: owner }), ndp({ destination: ip('ff02::1:ff00:65') }),
  ndp({ destination: ip('2001:db8::64') }), ndp({ target: ip('2001:db8::65') }),
];

/** What the model of l2.md says, and what the program in the kernel did. */
function both(frame: Uint8Array, expiryNs = 2_000_000_000_000n): readonly [string, string] {
  const rig = kernel!.begin(vector);
  put(rig, 'fl_l2', [...held].map((address) => [
    layout.encodeL2Key({ ifindex: kernel!.ifindex('uplink'), addr: ipBytes16(ip(address)) }),
    layout.encodeL2({ expiryNs, mac: macBytes(owner) }),
  ]));
  const ran = kernel!.step(rig, vector, {
    program: 'fl_uplink_in', device: 'uplink', packet: frame, seconds: 1000, verdict: 'next',
  });
  const said = respond(frame, {
    ifindex: 2, mac: owner, vlan: false,
    otherHost: (frame[0]! & 1) === 0 && macText(frame, 0) !== owner,
  }, {
    bootNs: 1_000_000_000_000n,
    key: (_, address) => held.has(address) ? { expiryNs, mac: owner } : undefined,
  });
  const model = said.kind === 'answer' ? `redirect ${hex(said.frame)}` : `next ${hex(frame)}`;
  return [model, `${ran.verdict} ${hex(ran.packet)}`];
}

test('V63 the responder in the kernel answers as the model does, frame by frame', (t) => {
  for (const frame of corpus) t.is(both(frame)[1], both(frame)[0], hex(frame));
  t.is(corpus.filter((frame) => both(frame)[0].startsWith('redirect')).length, 7);
});

test('V63 a key that is gone or expires now is silent', (t) => {
  for (const frame of [arpRequest, nsMulticast].map(unhex)) {
    t.deepEqual(both(frame, 1_000_000_000_000n), [`next ${hex(frame)}`, `next ${hex(frame)}`]);
    t.true(both(frame, 1_000_000_000_001n)[1].startsWith('redirect'));
  }
});

test('V63 the responder agrees with its model about damaged frames', (t) => {
  const damage = fc.array(fc.tuple(fc.nat(85), fc.nat(255)), { minLength: 1, maxLength: 3 });
  fc.assert(fc.property(fc.constantFrom(...corpus), damage, (frame, edits) => {
    const bytes = frame.slice();
    for (const [at, octet] of edits) if (at < bytes.length) bytes[at] = octet;
    const [model, ran] = both(bytes);
    t.is(ran, model);
  }), { seed: 5, numRuns: 300 });
});

test('answers are counted by address, silence is not', (t) => {
  both(unhex(arpRequest));
  const rig = kernel!.rig({});
  t.deepEqual(rig.dump('fl_l2_stats').map((row) => row.split(' ')[1]), ['0100000000000000']);
  both(unhex(garp));
  t.deepEqual(rig.dump('fl_l2_stats'), []);
});

const fences = anyTest.macro({
  exec(t, text: string, order: { readonly mark: number; readonly expired: boolean }) {
    const rig = kernel!.begin(vector);
    const expiryNs = order.expired ? 1n : 2_000_000_000_000n;
    put(rig, 'fl_l2', [...held].map((address) => [
      layout.encodeL2Key({ ifindex: kernel!.ifindex('uplink'), addr: ipBytes16(ip(address)) }),
      layout.encodeL2({ expiryNs, mac: macBytes(owner) }),
    ]));
    const ran = kernel!.step(rig, vector, {
      program: 'fl_uplink_out', device: 'uplink', packet: unhex(text), seconds: 1000,
      mark: order.mark, verdict: 'next',
    });
    const stays = order.mark !== 0 && order.expired;
    t.is(ran.verdict, stays ? 'drop' : 'next');
    t.deepEqual(ran.events.map((event) => event.split(' ')[1]), stays ? ['l2Fence'] : []);
  },
  title: (_, text: string, { mark, expired }) =>
    `a ${mark === 0 ? '' : 'marked '}${text.length > 90 ? 'NA' : 'GARP'} of an address ` +
    `${expired ? 'that expired' : 'that is held'}`,
});
for (const text of [garp, unsolicited]) {
  for (const mark of [0, 0x666c0001]) {
    for (const expired of [false, true]) test(fences, text, { mark, expired });
  }
}
