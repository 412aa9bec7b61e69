import test from 'ava';
import fc from 'fast-check';
import { ip, type Ip } from '../../lb/ip.ts';
import {
  allNodes, decodeArp, decodeNdp, encodeArp, encodeNdp, groupMac, solicitedNodeGroup,
  type ArpFrame, type NdpFrame,
} from '../../l2/frames.ts';
import {
  decodeResponderKey, decodeResponderValue, encodeResponderKey, encodeResponderValue,
} from '../../l2/responder-map.ts';
import { respond, type Ingress } from '../../l2/responder.ts';

const owner = '02:00:00:00:00:0a';
const client = '02:00:00:00:00:0c';
const vip = ip('192.0.2.100');
const vip6 = ip('2001:db8::64');
const ingress: Ingress = { ifindex: 2, mac: owner, otherHost: false, vlan: false };

const golden = {
  arpRequest: 'ffffffffffff02000000000c0806000108000604000102000000000cc000020a000000000000c0000264',
  arpReply: '02000000000c02000000000a0806000108000604000202000000000ac000026402000000000cc000020a',
  garpRequest: 'ffffffffffff02000000000a0806000108000604000102000000000ac0000264000000000000c0000264',
  garpReply: 'ffffffffffff02000000000a0806000108000604000202000000000ac000026402000000000ac0000264',
  arpProbe: 'ffffffffffff02000000000c0806000108000604000102000000000c00000000000000000000c0000264',
  replyToProbe: '02000000000c02000000000a0806000108000604000202000000000ac000026402000000000c00000000',
  nsMulticast: '3333ff00006402000000000c86dd6000000000203aff20010db800000000000000000000000cff0200000000000000000001ff00006487001b4d0000000020010db8000000000000000000000064010102000000000c',
  nsUnicast: '02000000000a02000000000c86dd6000000000203aff20010db800000000000000000000000c20010db80000000000000000000000648700eb980000000020010db8000000000000000000000064010102000000000c',
  nsNud: '02000000000a02000000000c86dd6000000000183aff20010db800000000000000000000000c20010db80000000000000000000000648700eead0000000020010db8000000000000000000000064',
  naSolicited: '02000000000c02000000000a86dd6000000000203aff20010db800000000000000000000006420010db800000000000000000000000c8800899a6000000020010db8000000000000000000000064020102000000000a',
  naUnsolicited: '33330000000102000000000a86dd6000000000203afffe80000000000000000000000000000aff020000000000000000000000000001880027ee2000000020010db8000000000000000000000064020102000000000a',
  dadNs: '3333ff00006402000000000c86dd6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff00006487004c270000000020010db8000000000000000000000064',
  naToDad: '33330000000102000000000a86dd6000000000203aff20010db8000000000000000000000064ff0200000000000000000000000000018800f85b2000000020010db8000000000000000000000064020102000000000a',
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

const arp = (change: Partial<ArpFrame>): ArpFrame => ({
  kind: 'arp', ethSource: client, ethTarget: 'ff:ff:ff:ff:ff:ff', opcode: 1, senderMac: client,
  senderIp: ip('192.0.2.10'), targetMac: '00:00:00:00:00:00', targetIp: vip, ...change,
});
const ndp = (change: Partial<NdpFrame>): NdpFrame => ({
  kind: 'solicitation', ethSource: client, ethTarget: '33:33:ff:00:00:64', source: ip('2001:db8::c'),
  destination: ip('ff02::1:ff00:64'), target: vip6, linkLayer: client, router: false,
  solicited: false, override: false, hopLimit: 255, ...change,
});
const advertisement = (change: Partial<NdpFrame>): NdpFrame => ndp({
  kind: 'advertisement', ethSource: owner, ethTarget: client, source: vip6,
  destination: ip('2001:db8::c'), linkLayer: owner, solicited: true, override: true, ...change,
});

const arpVector = test.macro({
  exec(t, bytes: string, frame: ArpFrame) {
    t.is(hex(encodeArp(frame)), bytes);
    t.deepEqual(decodeArp(unhex(bytes)), frame);
  },
  title: (name) => `l2 9.1: ${name} is encoded and decoded byte by byte`,
});
test('ARP request', arpVector, golden.arpRequest, arp({}));
const answer = { ethSource: owner, senderMac: owner, senderIp: vip };
test('ARP reply', arpVector, golden.arpReply, arp({ ...answer, opcode: 2, ethTarget: client, targetMac: client, targetIp: ip('192.0.2.10') }));
test('GARP request', arpVector, golden.garpRequest, arp(answer));
test('GARP reply', arpVector, golden.garpReply, arp({ ...answer, opcode: 2, targetMac: owner }));
test('ARP probe', arpVector, golden.arpProbe, arp({ senderIp: ip('0.0.0.0') }));
test('reply to probe', arpVector, golden.replyToProbe, arp({ ...answer, opcode: 2, ethTarget: client, targetMac: client, targetIp: ip('0.0.0.0') }));

const ndpVector = test.macro({
  exec(t, bytes: string, frame: NdpFrame) {
    t.is(hex(encodeNdp(frame)), bytes);
    t.deepEqual(decodeNdp(unhex(bytes)), frame);
  },
  title: (name) => `l2 9.1: ${name} is encoded and decoded byte by byte`,
});
test('NS multicast', ndpVector, golden.nsMulticast, ndp({}));
test('NS unicast+SLL', ndpVector, golden.nsUnicast, ndp({ ethTarget: owner, destination: vip6 }));
test('NS unicast NUD', ndpVector, golden.nsNud, ndp({ ethTarget: owner, destination: vip6, linkLayer: undefined }));
test('NA solicited', ndpVector, golden.naSolicited, advertisement({}));
const toAll = { ethTarget: '33:33:00:00:00:01', destination: allNodes, solicited: false };
test('NA unsolicited', ndpVector, golden.naUnsolicited, advertisement({ ...toAll, source: ip('fe80::a') }));
test('DAD NS', ndpVector, golden.dadNs, ndp({ source: ip('::'), linkLayer: undefined }));
test('NA to DAD', ndpVector, golden.naToDad, advertisement(toAll));

test('an IPv6 address has a solicited-node group and the group an Ethernet address', (t) => {
  t.is(solicitedNodeGroup(vip6), ip('ff02::1:ff00:64'));
  t.is(solicitedNodeGroup(ip('2001:db8::12:3456:789a')), ip('ff02::1:ff56:789a'));
  t.is(groupMac(ip('ff02::1:ff00:64')), '33:33:ff:00:00:64');
});

const macArbitrary = fc.uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => [...bytes].map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
const ipv4Arbitrary = fc.ipV4().map((text) => ip(text));

test('every ARP frame survives encoding', (t) => {
  fc.assert(fc.property(fc.record({
    kind: fc.constant('arp' as const), ethSource: macArbitrary, ethTarget: macArbitrary,
    opcode: fc.constantFrom(1 as const, 2 as const), senderMac: macArbitrary,
    senderIp: ipv4Arbitrary, targetMac: macArbitrary, targetIp: ipv4Arbitrary,
  }), (frame) => {
    t.deepEqual(decodeArp(encodeArp(frame)), frame);
  }), { seed: 1, numRuns: 200 });
});

test('random bytes never break a decoder or the responder', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, isArp) => {
    if (bytes.length >= 14) bytes.set(isArp ? [8, 6] : [0x86, 0xdd], 12);
    decodeArp(bytes);
    decodeNdp(bytes);
    respond(bytes, ingress, { key: () => ({ expiryNs: 10, mac: owner }), bootNs: 0 });
  }), { seed: 2, numRuns: 2000 });
  t.pass();
});

test('one flipped bit of a golden solicitation is never answered as if nothing had happened', (t) => {
  const whole = unhex(golden.nsMulticast);
  for (let bit = 12 * 8; bit < whole.length * 8; bit += 1) {
    const bytes = whole.slice();
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const verdict = respond(
      bytes, ingress, { key: () => ({ expiryNs: 10, mac: owner }), bootNs: 0 },
    );
    // Traffic class, flow label and bits outside the checksum change nothing about the answer.
    const outside = bit >= 14 * 8 && bit < 18 * 8;
    if (!outside) t.is(verdict.kind, 'pass', `bit ${bit}`);
  }
});

test('keys and values of the responder map keep the layout of l2 10.1', (t) => {
  t.is(
    hex(encodeResponderKey({ ifindex: 7, ip: vip })),
    '0700000000000000000000000000ffffc0000264'.padStart(40, '0'),
  );
  t.is(
    hex(encodeResponderValue({ expiryNs: 0x0102n, mac: owner })),
    '020100000000000002000000000a0000',
  );
  for (const address of [vip, vip6]) {
    t.deepEqual(
      decodeResponderKey(encodeResponderKey({ ifindex: 9, ip: address })),
      { ifindex: 9, ip: address },
    );
  }
  const value = { expiryNs: 5_000_000_123n, mac: client };
  t.deepEqual(decodeResponderValue(encodeResponderValue(value)), value);
});

interface Case {
  frame: string | Uint8Array;
  expect: string;
  from?: Partial<Ingress>;
  expiryNs?: number;
  absent?: boolean;
}
const responds = test.macro({
  exec(t, row: Case) {
    const frame = typeof row.frame === 'string' ? unhex(row.frame) : row.frame;
    const before = hex(frame);
    const asked: [number, Ip][] = [];
    const verdict = respond(frame, { ...ingress, ...row.from }, {
      bootNs: 1_000_000,
      key(ifindex, address) {
        asked.push([ifindex, address]);
        return row.absent === true ? undefined : {
          expiryNs: row.expiryNs ?? 1_001_000, mac: owner,
        };
      },
    });
    t.is(verdict.kind === 'answer' ? hex(verdict.frame) : verdict.reason, row.expect);
    t.is(hex(frame), before, 'the frame stays as it was');
    for (const [ifindex] of asked) t.is(ifindex, 2);
  },
  title: (name) => `l2 ${name}`,
});
const edited = (text: string, ...edits: [number, number[]][]): Uint8Array => {
  const bytes = unhex(text);
  for (const [offset, octets] of edits) bytes.set(octets, offset);
  return bytes;
};
const padded = (text: string, length: number, fill: number): Uint8Array => {
  const bytes = new Uint8Array(length).fill(fill);
  bytes.set(unhex(text).subarray(0, length));
  return bytes;
};
test('52: a golden ARP request gets the golden reply', responds, { frame: golden.arpRequest, expect: golden.arpReply });
test('52: a golden probe gets the golden reply to a probe', responds, { frame: golden.arpProbe, expect: golden.replyToProbe });
test('53: a request without key passes', responds, { frame: golden.arpRequest, absent: true, expect: 'no-key' });
test('53: a reply passes', responds, { frame: golden.arpReply, from: { mac: client }, expect: 'not-a-request' });
test('53: a request to Ethernet 06:05:04:03:02:01 passes', responds, { frame: edited(golden.arpRequest, [0, [6, 5, 4, 3, 2, 1]]), expect: 'not-for-us' });
test('53: a request to the own MAC is answered', responds, { frame: edited(golden.arpRequest, [0, [2, 0, 0, 0, 0, 10]]), expect: golden.arpReply });
test('54: a key that expires in 1 ms answers', responds, { frame: golden.arpRequest, expiryNs: 2_000_000, expect: golden.arpReply });
test('54: a key that expired 1 ms ago passes', responds, { frame: golden.arpRequest, expiryNs: 0, expect: 'expired' });
test('54: a key that expires now passes', responds, { frame: golden.arpRequest, expiryNs: 1_000_000, expect: 'expired' });
test('55: a padded request of 60 bytes gets 60 bytes with padding zero', responds, { frame: padded(golden.arpRequest, 60, 0xee), expect: golden.arpReply.padEnd(120, '0') });
test('55: a frame of 64 bytes gets a reply of 60', responds, { frame: padded(golden.arpRequest, 64, 0xee), expect: golden.arpReply.padEnd(120, '0') });
test('55: a frame of 41 bytes passes', responds, { frame: padded(golden.arpRequest, 41, 0), expect: 'short' });
for (const [name, offset, octets] of [
  ['HTYPE 6', 14, [0, 6]], ['PTYPE 0x86DD', 16, [0x86, 0xdd]], ['HLEN 8', 18, [8]], ['PLEN 16', 19, [16]],
  ['SHA zero', 22, [0, 0, 0, 0, 0, 0]], ['SHA multicast', 22, [3, 0, 0, 0, 0, 1]], ['SHA own', 22, [2, 0, 0, 0, 0, 10]],
] as [string, number, number[]][]) {
  test(`56: ${name} passes`, responds, { frame: edited(golden.arpRequest, [offset, octets]), expect: offset === 22 ? 'sender-mac' : 'arp-format' });
}
test('57: a gratuitous request from another MAC gets no answer', responds, { frame: edited(golden.garpRequest, [6, [2, 0, 0, 0, 0, 12]], [22, [2, 0, 0, 0, 0, 12]]), expect: 'announcement' });
test('57: where SHA and Ethernet source differ the reply goes to SHA', responds, { frame: edited(golden.arpRequest, [6, [2, 0, 0, 0, 0, 0xdd]]), expect: golden.arpReply });
test('58: NS multicast gets NA solicited', responds, { frame: golden.nsMulticast, expect: golden.naSolicited });
test('58: NS unicast with option gets NA solicited', responds, { frame: golden.nsUnicast, expect: golden.naSolicited });
test('58: NS of NUD gets NA solicited, grown', responds, { frame: golden.nsNud, expect: golden.naSolicited });
test('58: a DAD solicitation gets NA to DAD', responds, { frame: golden.dadNs, expect: golden.naToDad });
const fixed = (
  frame: NdpFrame, ...edits: [number, number[]][]
): Uint8Array => edited(hex(encodeNdp(frame)), ...edits);
test('59: hop limit 254 passes', responds, { frame: encodeNdp(ndp({ hopLimit: 254 })), expect: 'hop-limit' });
test('59: a bad checksum passes', responds, { frame: edited(golden.nsMulticast, [56, [0, 0]]), expect: 'checksum' });
test('59: code 1 passes', responds, { frame: fixed(ndp({}), [55, [1]]), expect: 'not-a-solicitation' });
test('59: a multicast target passes', responds, { frame: encodeNdp(ndp({ target: ip('ff02::5') })), expect: 'multicast-target' });
// The zero length takes 1 from the sum, so the checksum is made right again and the option judged.
test('59: option length 0 passes', responds, { frame: edited(golden.nsMulticast, [79, [0]], [56, [0x1b, 0x4e]]), expect: 'options' });
test('59: source :: with a Source option passes', responds, { frame: encodeNdp(ndp({ source: ip('::') })), expect: 'dad-format' });
test('59: source :: to the address itself passes', responds, { frame: encodeNdp(ndp({ source: ip('::'), linkLayer: undefined, destination: vip6 })), expect: 'dad-format' });
test('59: after a hop-by-hop header it passes', responds, { frame: edited(golden.nsMulticast, [20, [0]]), expect: 'next-header' });
test('59: a tagged frame passes', responds, { frame: golden.nsMulticast, from: { vlan: true }, expect: 'vlan' });
test('59: a frame for another host passes', responds, { frame: golden.arpRequest, from: { otherHost: true }, expect: 'other-host' });
test('59: an own solicitation passes', responds, { frame: encodeNdp(ndp({ ethSource: owner })), expect: 'own' });
test('59: a group of another address passes', responds, { frame: encodeNdp(ndp({ destination: ip('ff02::1:ff00:65') })), expect: 'not-for-target' });
test('60: the NA goes to the Source option, not to the Ethernet source', responds, { frame: edited(golden.nsMulticast, [6, [2, 0, 0, 0, 0, 0xdd]]), expect: golden.naSolicited });
