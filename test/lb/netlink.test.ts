import test from 'ava';
import fc from 'fast-check';
import {
  devicesOf, dumpRequest, messagesOf, messageType, type NetlinkMessage,
} from '../../lb/netlink.ts';

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Little-endian. */
const u16 = (number: number): string => Buffer.from(Uint16Array.of(number).buffer).toString('hex');
const u32 = (number: number): string => Buffer.from(Uint32Array.of(number).buffer).toString('hex');
const ascii = (text: string): string => Buffer.from(`${text}\0`).toString('hex');

function attribute(type: number, value: string): string {
  const padded = value.padEnd(Math.ceil(value.length / 8) * 8, '0');
  return u16(4 + value.length / 2) + u16(type) + padded;
}

function message(type: number, body: string): string {
  return u32(16 + body.length / 2) + u16(type) + u16(2) + u32(1) + u32(0) + body;
}

interface LinkWords {
  readonly index: number;
  readonly flags: number;
  readonly name: string;
  readonly rest?: string;
  readonly type?: number;
}

function link(of: LinkWords): string {
  const head = `0000${u16(of.type ?? 1)}${u32(of.index)}${u32(of.flags)}00000000`;
  return message(16, head + attribute(3, ascii(of.name)) + (of.rest ?? ''));
}

function devices(...texts: readonly string[]): ReturnType<typeof devicesOf> {
  return devicesOf(messagesOf(hex(texts.join(''))));
}

const mac = attribute(1, '02000000000a');

test('a request asks for everything of one kind', (t) => {
  const request = Buffer.from(dumpRequest(messageType.getLink, 7)).toString('hex');
  t.is(request, `20000000120001030700000000000000${'00'.repeat(16)}`);
  t.is(dumpRequest(messageType.getAddress, 1).length, 24);
  t.is(dumpRequest(messageType.getRoute, 1).length, 28);
});

const flags = test.macro({
  exec: (t, bits: number, facts: object) => {
    t.like(devices(link({ index: 2, flags: bits, name: 'eth0', rest: mac }))[0], facts);
  },
  title: (_, bits: number, facts) => `flags 0x${bits.toString(16)} are ${JSON.stringify(facts)}`,
});
test(flags, 0x1_1043, { adminUp: true, carrier: true, loopback: false, noArp: false });
test(flags, 0x1003, { adminUp: true, carrier: false });
test(flags, 0x1002, { adminUp: false, carrier: false });
test(flags, 0x1_0049, { loopback: true });
test(flags, 0x1_00d1, { noArp: true });

const ports = test.macro({
  exec: (t, slaveKind: string, enslaved: boolean) => {
    const rest = attribute(10, u32(9)) + attribute(18, attribute(4, ascii(slaveKind)));
    const [one] = devices(link({ index: 2, flags: 1, name: 'eth0', rest: mac + rest }));
    t.like(one, { master: 9, enslaved });
  },
  title: (_, slaveKind, enslaved) => (
    `a member of a ${slaveKind} is ${enslaved ? '' : 'not '}enslaved`
  ),
});
test(ports, 'bond', true);
test(ports, 'bridge', true);
test(ports, 'team', true);
test(ports, 'vrf', false);

test('a veth tells its peer and the namespace that the peer is in', (t) => {
  const rest = mac + attribute(4, u32(1500)) + attribute(5, u32(3)) + attribute(37, u32(0))
    + attribute(0x8000 | 18, attribute(1, ascii('veth')));
  t.like(devices(link({ index: 5, flags: 1, name: 'lxc1', rest }))[0], {
    kind: 'veth', peer: 3, peerNetns: 0, mtu: 1500, ethernet: true, mac: '02:00:00:00:00:0a',
  });
});

test('a device without Ethernet addresses has none', (t) => {
  const tunnel = link({ index: 3, flags: 0x91, name: 'wg0', type: 65_534 });
  t.like(devices(tunnel)[0], { ethernet: false, mac: '00:00:00:00:00:00', kind: undefined });
});

function address(index: number, ...attributes: string[]): string {
  return message(20, `02180000${u32(index)}${attributes.join('')}`);
}

test('addresses go to their device, the local one of a pair', (t) => {
  const [one] = devices(
    link({ index: 2, flags: 1, name: 'eth0', rest: mac }),
    address(2, attribute(1, 'c0000201'), attribute(2, 'c000020b')),
    address(2, attribute(1, `fe80${'00'.repeat(13)}0a`)),
    address(7, attribute(1, 'c0000263')), address(2, attribute(1, 'c0')),
  );
  t.deepEqual(one?.addresses, ['192.0.2.11', 'fe80::a'] as never);
});

function route(head: string, ...attributes: string[]): string {
  return message(24, head + attributes.join(''));
}

const routes = test.macro({
  exec: (t, _: string, of: string, found: boolean) => {
    const [one] = devices(link({ index: 2, flags: 1, name: 'eth0', rest: mac }), of);
    t.is(one?.defaultRoute, found);
  },
  title: (_, name, __, found) => `${name} makes ${found ? 'an' : 'no'} uplink`,
});
const via = attribute(4, u32(2));
const main = '02000000fe030001 00000000'.replace(' ', '');
test(routes, 'a default route of the main table', route(main, via), true);
test(routes, 'a route to a prefix', route(`02180000${main.slice(8)}`, via), false);
test(routes, 'a default route of another table', route(`0200000064${main.slice(10)}`, via), false);
test(routes, 'a table beyond 255', route(main, attribute(15, u32(1_000)), via), false);
test(routes, 'a blackhole', route('02000000fe03000600000000', via), false);
test(routes, 'a default route of two hops',
  route(main, attribute(9, `08000000${u32(9)}08000000${u32(2)}`)), true);

test('messages that are cut off are left out', (t) => {
  const whole = link({ index: 2, flags: 1, name: 'eth0' });
  t.is(messagesOf(hex(whole + whole.slice(0, 40))).length, 1);
  t.is(messagesOf(hex('0400000010000000')).length, 0);
  t.is(messagesOf(hex(`03000000${whole.slice(8)}`)).length, 0);
});

test('any bytes are read without a fault, and never for ever', (t) => {
  const body = fc.uint8Array({ maxLength: 200 });
  const one = fc.record({ type: fc.constantFrom(16, 20, 24), flags: fc.nat(9), body });
  fc.assert(fc.property(fc.array(one), (messages: NetlinkMessage[]) => (
    Array.isArray(devicesOf(messages))
  )));
  fc.assert(fc.property(body, (bytes) => Array.isArray(messagesOf(bytes))));
  t.pass();
});
