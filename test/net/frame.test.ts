import test from 'ava';
import fc from 'fast-check';
import { ip, type Ip } from '../../lb/ip.ts';
import { Frame } from '../../sim/net/frame.ts';
import {
  describePacket, noPayload, payloadOf, type Packet, type PacketTuple,
} from '../../sim/net/packet.ts';
import { foldChecksum, sumWords, transportChecksum } from '../../sim/net/checksum.ts';
import { linkLocalOf } from '../../sim/net/address.ts';

const link = { ethSource: '02:00:00:00:00:0a', ethTarget: '02:00:00:00:00:0b' };
const ends = (wide: boolean): { source: Ip; target: Ip } => wide
  ? { source: ip('2001:db8::9'), target: ip('2001:db8::a') }
  : { source: ip('10.0.0.9'), target: ip('192.0.2.1') };

const wide = fc.boolean();
const port = fc.integer({ min: 0, max: 65_535 });
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const payload = fc.uint8Array({ maxLength: 80 });
const ttl = fc.integer({ min: 1, max: 255 });

const tcp =
  fc.record({ wide, sourcePort: port, targetPort: port, seq: word, ack: word, payload, ttl,
  flags: fc.integer({ min: 0, max: 0x3f }) })
  .map((raw): Packet => ({ ...ends(raw.wide), protocol: 'TCP', sourcePort: raw.sourcePort,
    targetPort: raw.targetPort, ttl: raw.ttl, payload: raw.payload,
    tcp: { seq: raw.seq, ack: raw.ack, flags: raw.flags } }));
const udp =
  fc.record({ wide, sourcePort: port, targetPort: port, payload, ttl, unchecked: fc.boolean() })
  .map((raw): Packet => ({ ...ends(raw.wide), protocol: 'UDP', sourcePort: raw.sourcePort,
    targetPort: raw.targetPort, ttl: raw.ttl, payload: raw.payload,
    ...(raw.unchecked && !raw.wide ? { unchecked: true } : {}) }));
const echo = fc.record({ wide, id: port, sequence: port, payload, ttl, reply: fc.boolean() })
  .map((raw): Packet => ({ ...ends(raw.wide), protocol: 'ICMP', sourcePort: 0, targetPort: 0,
    ttl: raw.ttl, payload: raw.payload,
    icmp: {
      kind: raw.reply ? 'echo-reply' : 'echo-request', id: raw.id, sequence: raw.sequence,
    } }));
const failure = fc.record({ wide, mtuBytes: fc.integer({ min: 0, max: 65_535 }), sourcePort: port,
  targetPort: port, ttl, which: fc.constantFrom(
    'network', 'host', 'port', 'prohibited', 'ttl', 'big',
  ) })
  .map((raw): Packet => {
    const quoted: PacketTuple = {
      ...ends(raw.wide), protocol: 'TCP', sourcePort: raw.sourcePort, targetPort: raw.targetPort,
    };
    const head = {
      ...ends(raw.wide), protocol: 'ICMP' as const, sourcePort: 0, targetPort: 0, ttl: raw.ttl,
      payload: noPayload,
    };
    if (raw.which === 'ttl') return { ...head, icmp: { kind: 'time-exceeded', quoted } };
    if (raw.which === 'big') {
      return { ...head, icmp: { kind: 'too-big', mtuBytes: raw.mtuBytes, quoted } };
    }
    const cause = raw.which as 'network' | 'host' | 'port' | 'prohibited';
    return { ...head, icmp: { kind: 'unreachable', cause, quoted } };
  });
const anyPacket = fc.oneof(tcp, udp, echo, failure);

test('a packet survives its bytes', (t) => {
  fc.assert(fc.property(anyPacket, (packet) => {
    const sent = Frame.ofPacket(packet, link);
    const got = Frame.ofBytes(sent.bytes);
    t.deepEqual(got.packet, packet);
    t.is(got.ethSource, link.ethSource);
    t.is(got.ethTarget, link.ethTarget);
    t.is(got.payloadLength, sent.payloadLength);
    t.is(sent.bytes.length - 14, Frame.ofPacket(packet, link).payloadLength);
  }), { seed: 5, numRuns: 300 });
});

test('all checksums of an encoded packet verify from scratch', (t) => {
  fc.assert(fc.property(fc.oneof(tcp, echo, failure), (packet) => {
    const { bytes } = Frame.ofPacket(packet, link);
    const version6 = packet.target.includes(':');
    if (!version6) t.is(foldChecksum(sumWords(0, bytes, { from: 14, to: 34 })), 0);
    t.is(transportChecksum(bytes, {
      addresses: version6 ? 22 : 26, addressLength: version6 ? 16 : 4, from: version6 ? 54 : 34,
      to: bytes.length, protocolNumber: (version6 ? bytes[20] : bytes[23]) ?? 0,
    }), 0);
  }), { seed: 6, numRuns: 200 });
});

test('any single wrong bit in a checked IPv4 packet is noticed', (t) => {
  const packet: Packet = {
    ...ends(false), protocol: 'TCP', sourcePort: 40_000, targetPort: 80, ttl: 64,
    payload: payloadOf('hello'), tcp: { seq: 1, ack: 2, flags: 24 } };
  const { bytes } = Frame.ofPacket(packet, link);
  for (let bit = 14 * 8; bit < bytes.length * 8; bit += 1) {
    const copy = bytes.slice();
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    t.is(Frame.ofBytes(copy).packet, undefined, `bit ${bit}`);
  }
});

test('datapath V52: an IPv4 UDP checksum of 0 means none and is kept', (t) => {
  const packet: Packet = { ...ends(false), protocol: 'UDP', sourcePort: 53, targetPort: 53, ttl: 64,
    payload: payloadOf('q'), unchecked: true };
  const { bytes } = Frame.ofPacket(packet, link);
  t.deepEqual([bytes[40], bytes[41]], [0, 0]);
  t.true(Frame.ofBytes(bytes).packet?.unchecked);
});

test('datapath 8.7: a computed UDP checksum of 0 travels as ffff', (t) => {
  const base: Packet = {
    ...ends(false), protocol: 'UDP', sourcePort: 0, targetPort: 0, ttl: 64,
    payload: payloadOf('ab'),
  };
  const { bytes } = Frame.ofPacket(base, link);
  // A source port equal to the checksum of the rest brings the sum to ffff, whose complement is 0.
  const sourcePort = ((bytes[40] ?? 0) << 8) | (bytes[41] ?? 0);
  const zero = Frame.ofPacket({ ...base, sourcePort }, link).bytes;
  t.deepEqual([zero[40], zero[41]], [0xff, 0xff]);
  t.is(Frame.ofBytes(zero).packet?.sourcePort, sourcePort);
});

const refuses = test.macro({
  exec: (t, change: (bytes: Uint8Array) => Uint8Array, fault: string) => {
    const packet: Packet = {
      ...ends(false), protocol: 'UDP', sourcePort: 1, targetPort: 2, ttl: 64,
      payload: payloadOf('xy'),
    };
    const { content } = Frame.ofBytes(change(Frame.ofPacket(packet, link).bytes.slice()));
    t.deepEqual(content, { kind: 'other', fault } as never);
  },
  title: (name) => `a frame with ${name} is no packet`,
});

function fixHeader(bytes: Uint8Array): Uint8Array {
  bytes[24] = 0;
  bytes[25] = 0;
  const checksum = foldChecksum(sumWords(0, bytes, { from: 14, to: 34 }));
  bytes[24] = checksum >> 8;
  bytes[25] = checksum & 0xff;
  return bytes;
}

test('nothing behind its Ethernet header', refuses, (bytes: Uint8Array) => bytes.slice(0, 14), 'malformed');
test('half an IP header', refuses, (bytes: Uint8Array) => bytes.slice(0, 30), 'malformed');
test('a total length beyond its end', refuses, (bytes: Uint8Array) => bytes.slice(0, 40), 'malformed');
test('a header length of 16', refuses, (bytes: Uint8Array) => { bytes[14] = 0x44; return bytes; }, 'malformed');
test('version 5', refuses, (bytes: Uint8Array) => { bytes[14] = 0x55; return bytes; }, 'malformed');
test('a wrong header checksum', refuses, (bytes: Uint8Array) => { bytes[22] = 1; return bytes; }, 'bad-checksum');
test('a later fragment', refuses, (bytes: Uint8Array) => { bytes[21] = 9; return fixHeader(bytes); }, 'fragment');
test('a first fragment', refuses, (bytes: Uint8Array) => { bytes[20] = 0x20; return fixHeader(bytes); }, 'fragment');
test('protocol 132', refuses, (bytes: Uint8Array) => { bytes[23] = 132; return fixHeader(bytes); }, 'unsupported');
test('an unknown EtherType', refuses, (bytes: Uint8Array) => { bytes[12] = 0x88; return bytes; }, 'unsupported');
test('a payload that is changed', refuses, (bytes: Uint8Array) => { bytes[43] = 1; return bytes; }, 'bad-checksum');

test('trailing padding is no payload', (t) => {
  const packet: Packet = {
    ...ends(false), protocol: 'UDP', sourcePort: 1, targetPort: 2, ttl: 64, payload: payloadOf('x'),
  };
  const padded = new Uint8Array(60);
  padded.set(Frame.ofPacket(packet, link).bytes);
  t.deepEqual(Frame.ofBytes(padded).packet, packet);
});

test('a frame under other addresses keeps the packet and the bytes behind the header', (t) => {
  const packet: Packet = {
    ...ends(true), protocol: 'UDP', sourcePort: 1, targetPort: 2, ttl: 64, payload: payloadOf('x'),
  };
  const frame = Frame.ofPacket(packet, link);
  const moved = frame.withAddresses({ ethSource: link.ethTarget, ethTarget: '02:00:00:00:00:0c' });
  t.is(moved.packet, packet);
  t.deepEqual(moved.bytes.slice(14), frame.bytes.slice(14));
  const arp = Frame.ofArp({
    kind: 'arp', opcode: 1, ...link, senderMac: link.ethSource, senderIp: ip('10.0.0.1'),
    targetMac: '00:00:00:00:00:00', targetIp: ip('10.0.0.2') });
  const again =
    arp.withAddresses({ ethSource: '02:00:00:00:00:0d', ethTarget: 'ff:ff:ff:ff:ff:ff' });
  t.is(again.arp?.ethSource, '02:00:00:00:00:0d');
  t.is(again.arp?.senderMac, link.ethSource);
});

test('a multicast listener report survives its bytes', (t) => {
  const mld = { kind: 'report', ethSource: link.ethSource, group: ip('ff02::1:ff00:a') } as const;
  const { content } = Frame.ofMld(mld);
  t.deepEqual(content, { kind: 'mld', mld });
  t.is(Frame.ofMld(mld).ethTarget, '33:33:ff:00:00:0a');
});

test('the link-local address of 02:00:00:00:00:0a is fe80::ff:fe00:a', (t) => {
  t.is(linkLocalOf('02:00:00:00:00:0a'), ip('fe80::ff:fe00:a'));
});

test('digests tell frames apart', (t) => {
  const base: Packet = { ...ends(false), protocol: 'TCP', sourcePort: 1, targetPort: 2, ttl: 64,
    payload: noPayload, tcp: { seq: 1, ack: 0, flags: 2 } };
  const digests =
    [base, { ...base, sourcePort: 3 }, { ...base, ttl: 63 }, { ...base, target: ip('192.0.2.2') },
    { ...base, tcp: { seq: 2, ack: 0, flags: 2 } }].map((one) => Frame.ofPacket(one, link).digest);
  t.is(new Set(digests).size, digests.length);
});

test('a packet is described in one line', (t) => {
  const syn: Packet = {
    ...ends(false), protocol: 'TCP', sourcePort: 40_000, targetPort: 80, ttl: 64,
      payload: noPayload,
    tcp: { seq: 1, ack: 0, flags: 2 },
  };
  t.is(describePacket(syn), 'TCP 10.0.0.9:40000 → 192.0.2.1:80 [SYN]');
  const answer: Packet = {
    ...syn, ...ends(true), payload: payloadOf('hi'), tcp: { seq: 1, ack: 2, flags: 17 },
  };
  t.is(describePacket(answer), 'TCP [2001:db8::9]:40000 → [2001:db8::a]:80 [FIN ACK 2 B]');
});

test('no bytes end the process: decoding gives a content or a fault', (t) => {
  const etherType = fc.constantFrom([8, 0], [8, 6], [0x86, 0xdd], [0x81, 0]);
  const noise =
    fc.record({ etherType, rest: fc.uint8Array({ maxLength: 120 }), version: fc.nat(255) });
  fc.assert(fc.property(noise, (raw) => {
    const rest = raw.rest.slice();
    if (rest.length > 0) rest[0] = raw.version;
    const { content } =
      Frame.ofBytes(Uint8Array.from([...new Uint8Array(12), ...raw.etherType, ...rest]));
    t.true(['packet', 'arp', 'ndp', 'mld', 'other'].includes(content.kind));
  }), { seed: 9, numRuns: 2000 });
  const cut =
    fc.record({ packet: anyPacket, keep: fc.nat(200), at: fc.nat(200), value: fc.nat(255) });
  fc.assert(fc.property(cut, ({ packet, keep, at, value }) => {
    const bytes = Frame.ofPacket(packet, link).bytes.slice(0, Math.max(14, keep));
    if (at < bytes.length) bytes[at] = value;
    t.is(typeof Frame.ofBytes(bytes).content.kind, 'string');
  }), { seed: 10, numRuns: 2000 });
});
