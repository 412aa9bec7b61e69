import test from 'ava';
import { ip } from '../../lb/ip.ts';
import { serveEcho } from '../../sim/net/echo.ts';
import { payloadOf, tcpFlag, textOf, type Packet } from '../../sim/net/packet.ts';
import { PacketTap } from '../../sim/net/tap.ts';
import type { TcpConnection, TcpUser } from '../../sim/net/tcp.ts';
import { Transport } from '../../sim/net/transport.ts';
import { World } from '../../sim/world.ts';

const second = 1_000_000;
const near = ip('10.0.0.1');
const far = ip('10.0.0.2');

/** Two transports with a wire of `delay` between; `lose` says which packets vanish. */
function build(delay = 1_000) {
  const world = new World({ seed: 11n });
  const tap = new PacketTap(world);
  const log: string[] = [];
  const bench = {
    world, tap, log, lose: (_packet: Packet, _count: number): boolean => false, confirmed: 0,
  };
  let count = 0;
  const make = (name: string, peer: () => Transport): Transport => new Transport(tap, {
    name, place: name,
    send: (packet) => {
      count += 1;
      const lost = bench.lose(packet, count);
      log.push(`${world.now} ${name} ${flagsOf(packet)}${lost ? ' lost' : ''}`);
      if (lost) return;
      world.schedule(delay, { kind: 'wire', entity: name }, () => peer().receive(packet));
    },
    confirm: () => { bench.confirmed += 1; },
  });
  const client: Transport = make('client', () => server);
  const server: Transport = make('server', () => client);
  const run = (time: number): void => {
    world.schedule(time - world.now, { kind: 'end', entity: 'test' }, () => undefined);
    world.run(time);
  };
  const open = (user: TcpUser = {}): TcpConnection =>
    client.connect(
      { local: near, localPort: client.ephemeralPort(), remote: far, remotePort: 80 }, user,
    );
  return Object.assign(bench, { client, server, run, open });
}

function flagsOf(packet: Packet): string {
  const { tcp, payload } = packet;
  if (tcp === undefined) {
    return packet.protocol + (packet.icmp === undefined ? '' : ` ${packet.icmp.kind}`);
  }
  const names = [tcp.flags & tcpFlag.syn ? 'SYN' : '', tcp.flags & tcpFlag.fin ? 'FIN' : '',
    tcp.flags & tcpFlag.rst ? 'RST' : '',
    tcp.flags & tcpFlag.ack ? 'ACK' : ''].filter((name) => name !== '').join('-');
  return payload.length > 0 ? `${names} ${payload.length}` : names;
}

test('a request and its answer take six packets, and nothing stays', (t) => {
  const bench = build();
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  const heard: string[] = [];
  const connection = bench.open({
    onPayload: (_, payload) => heard.push(textOf(payload)),
    onEnd: (_, how) => heard.push(how),
  });
  connection.send(payloadOf('once'));
  bench.run(30 * second);
  t.deepEqual(bench.log,
    ['0 client SYN', '1000 server SYN-ACK', '2000 client ACK 4', '3000 server FIN-ACK 18',
    '4000 client FIN-ACK', '5000 server ACK']);
  t.deepEqual(heard, ['pod\n10.0.0.1\n32768', 'closed']);
  t.is(bench.client.connectionCount + bench.server.connectionCount, 0);
});

test('a closed port refuses with a RST', (t) => {
  const bench = build();
  const ends: string[] = [];
  bench.open({ onEnd: (_, how) => ends.push(how) });
  bench.run(second);
  t.deepEqual(ends, ['refused']);
  t.deepEqual(bench.log, ['0 client SYN', '1000 server RST-ACK']);
});

test('sim 5.6: a SYN is repeated after 1 s, doubling, until the attempt times out', (t) => {
  const bench = build();
  bench.lose = () => true;
  const ends: string[] = [];
  bench.open({ onEnd: (_, how) => ends.push(`${bench.world.now} ${how}`) });
  bench.run(400 * second);
  t.deepEqual(
    bench.log.map((line) => Number(line.split(' ')[0]) / second), [0, 1, 3, 7, 15, 31, 63],
  );
  t.deepEqual(ends, [`${127 * second} timeout`]);
});

test('sim 5.6: after a sample the timeout is 200 ms at least, doubling to 120 s at most', (t) => {
  const bench = build();
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  const ends: string[] = [];
  const connection = bench.open({ onEnd: (_, how) => ends.push(`${how}`) });
  bench.run(second);
  bench.log.length = 0;
  bench.lose = () => true;
  connection.send(payloadOf('keep'));
  bench.run(3_000 * second);
  const times = bench.log.map((line) => Number(line.split(' ')[0]) / second - 1);
  const gaps = times.slice(1).map(
    (time, index) => Math.round((time - (times[index] ?? 0)) * 10) / 10
  );
  t.deepEqual(gaps.slice(0, 11), [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 120]);
  t.deepEqual(ends, ['timeout']);
  t.true((times.at(-1) ?? 0) < 924);
});

test('a user timeout ends a connection whose data nobody acknowledges', (t) => {
  const bench = build();
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  const ends: string[] = [];
  const connection = bench.open({ onEnd: (_, how) => ends.push(`${bench.world.now} ${how}`) });
  connection.userTimeout = 3 * second;
  bench.run(second);
  bench.lose = () => true;
  connection.send(payloadOf('keep'));
  bench.run(60 * second);
  t.is(ends.length, 1);
  t.regex(ends[0] ?? '', /^4[0-9]{6} timeout$/u);
});

for (let lost = 1; lost <= 6; lost += 1) {
  test(`the loss of packet ${lost} of six is repaired, each byte heard once`, (t) => {
    const bench = build();
    serveEcho(bench.server, { port: 80, backend: 'pod' });
    bench.lose = (_, count) => count === lost;
    const heard: string[] = [];
    const connection = bench.open({ onPayload: (_, payload) => heard.push(textOf(payload)),
      onEnd: (_, how) => heard.push(how) });
    connection.send(payloadOf('once'));
    bench.run(30 * second);
    t.deepEqual(heard, ['pod\n10.0.0.1\n32768', 'closed']);
    t.is(bench.client.connectionCount + bench.server.connectionCount, 0);
  });
}

test('under 30 % loss every request of a kept connection is answered, in order, once', (t) => {
  const bench = build();
  let served = 0;
  bench.server.listen(80, () => ({ onPayload: (connection, payload) => {
    served += payload.length;
    connection.send(payload);
  } }));
  const dice = bench.world.stream('dice');
  bench.lose = () => dice.ratio(3, 10);
  let heard = '';
  const connection = bench.open({ onPayload: (_, payload) => { heard += textOf(payload); } });
  const sent = Array.from({ length: 40 }, (_, index) => `[${index}]`);
  sent.forEach((text, index) => {
    bench.world.schedule(
      index * 200_000, { kind: 'say', entity: 'test' }, () => connection.send(payloadOf(text)),
    );
  });
  bench.run(3_000 * second);
  t.is(heard, sent.join(''));
  t.is(served, heard.length);
});

test('sim 5.4: only the acknowledgement of new data confirms the neighbour', (t) => {
  const bench = build();
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  bench.open();
  bench.run(second);
  t.is(bench.confirmed, 2); // The SYN of the client and that of the server.
  bench.client.receive({
    source: far, target: near, protocol: 'TCP', sourcePort: 80, targetPort: 32_768, ttl: 64,
    payload: payloadOf(''), tcp: { seq: 0, ack: 0, flags: tcpFlag.ack } });
  t.is(bench.confirmed, 2);
});

test('a machine that dies without farewell leaves its peer to the RST of the next boot', (t) => {
  const bench = build();
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  const ends: string[] = [];
  const connection = bench.open({ onEnd: (_, how) => ends.push(how) });
  bench.run(second);
  bench.server.vanish();
  connection.send(payloadOf('keep'));
  bench.run(2 * second);
  t.deepEqual(ends, ['reset']);
});

test('a RST outside the window is ignored', (t) => {
  const bench = build();
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  const connection = bench.open();
  bench.run(second);
  bench.client.receive({
    source: far, target: near, protocol: 'TCP', sourcePort: 80, targetPort: 32_768, ttl: 64,
    payload: payloadOf(''), tcp: { seq: 5, ack: 0, flags: tcpFlag.rst } });
  t.true(connection.established);
});

test('an aborted connection resets its peer', (t) => {
  const bench = build();
  const ends: string[] = [];
  bench.server.listen(80, () => ({ onEnd: (_, how) => ends.push(how) }));
  const connection = bench.open();
  bench.run(second);
  connection.abort();
  bench.run(2 * second);
  t.deepEqual(ends, ['reset']);
  t.is(bench.client.connectionCount + bench.server.connectionCount, 0);
});

test('both sides may close at the same time', (t) => {
  const bench = build();
  let accepted: TcpConnection | undefined;
  bench.server.listen(80, (connection) => { accepted = connection; return {}; });
  const connection = bench.open();
  bench.run(second);
  connection.close();
  accepted?.close();
  bench.run(9 * second);
  t.is(bench.client.connectionCount + bench.server.connectionCount, 0);
});

test('sequence numbers wrap', (t) => {
  for (let seed = 0; seed < 3; seed += 1) {
    const bench = build();
    const heard: number[] = [];
    bench.server.listen(80, () => ({ onPayload: (_, payload) => heard.push(payload.length) }));
    bench.world.stream('host/client').next = () => 0xffff_ffff - seed * 1_000;
    bench.world.stream('host/server').next = () => 0xffff_fffe;
    const ends: string[] = [];
    const connection = bench.open({ onEnd: (_, how) => ends.push(how) });
    for (let count = 0; count < 5; count += 1) connection.send(new Uint8Array(1_000));
    connection.close();
    bench.run(5 * second);
    t.deepEqual(heard, [1_000, 1_000, 1_000, 1_000, 1_000]);
    t.deepEqual(ends, ['closed']);
  }
});

test('a connection that is closed before it is up is given up, with data waiting it is not', (t) => {
  const bench = build();
  const heard: string[] = [];
  bench.server.listen(80, () => ({ onPayload: (_, payload) => heard.push(textOf(payload)) }));
  bench.open().close();
  const connection = bench.open();
  connection.send(payloadOf('last words'));
  connection.close();
  bench.run(5 * second);
  t.deepEqual(heard, ['last words']);
  t.is(bench.client.connectionCount, 0);
});

test('an ICMP error refuses a connection that is not up, and leaves one that is', (t) => {
  const bench = build();
  const ends: string[] = [];
  const error = (localPort: number): Packet =>
    ({ source: far, target: near, protocol: 'ICMP', sourcePort: 0, targetPort: 0,
    ttl: 64, payload: payloadOf(''), icmp: { kind: 'unreachable', cause: 'port',
      quoted: {
        source: near, target: far, protocol: 'TCP', sourcePort: localPort, targetPort: 80,
      } } });
  bench.lose = () => true;
  bench.open({ onEnd: (_, how) => ends.push(how) });
  bench.client.receive(error(32_768));
  t.deepEqual(ends, ['refused']);
  bench.lose = () => false;
  serveEcho(bench.server, { port: 80, backend: 'pod' });
  const up = bench.open();
  bench.run(second);
  bench.client.receive(error(32_769));
  t.true(up.established);
});

test('UDP: an answer comes from the port asked, a closed port is an ICMP error', (t) => {
  const bench = build();
  const stop = serveEcho(bench.server, { port: 53, backend: 'dns' });
  const heard: string[] = [];
  bench.client.bind(5_000, { onDatagram: (packet) => heard.push(textOf(packet.payload)),
    onRefused: () => heard.push('refused') });
  const ask: Packet = {
    source: near, target: far, protocol: 'UDP', sourcePort: 5_000, targetPort: 53, ttl: 64,
    payload: payloadOf('once'),
  };
  bench.client.send(ask);
  bench.run(second);
  stop();
  bench.client.send(ask);
  bench.run(2 * second);
  t.deepEqual(heard, ['dns\n10.0.0.1\n5000', 'refused']);
});

test('sim 5.6: source ports advance over the ephemeral range, skip what is in use, and wrap', (t) => {
  const bench = build();
  bench.client.bind(32_769, { onDatagram: () => undefined });
  t.deepEqual([bench.client.ephemeralPort(), bench.client.ephemeralPort()], [32_768, 32_770]);
  for (let count = 3; count < 28_231; count += 1) bench.client.ephemeralPort();
  t.is(bench.client.ephemeralPort(), 60_999);
  t.is(bench.client.ephemeralPort(), 32_768);
});
