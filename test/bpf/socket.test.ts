import anyTest from 'ava';
import * as layout from '../../bpf/layout.gen.ts';
import { ipFromBytes } from '../../lb/ip.ts';
import { at, bytes, service, type Rows, type ServiceFacts } from '../vectors/fixture.ts';
import { tcp } from '../vectors/uplink.ts';
import type { Vector } from '../vectors/vector.ts';
import { configure, KernelRun, put, skip } from './kernel-run.ts';

const test = skip ? anyTest.skip : anyTest.serial;
const kernel = skip ? undefined : new KernelRun();
anyTest.after.always(() => kernel?.close());

const object = 'bpf/socket-test.bpf.o';
const { connect, sendmsg, recvmsg, getpeername, postBind, sockRelease } = layout.hook;
const node = 1n;
const pod = 2n;
const stranger = 3n;

/** A call as `hook target:port`, by whom, and what came of it. */
interface Call {
  readonly hook: number;
  readonly to: string;
  readonly port: number;
  readonly proto?: number;
  readonly netns?: bigint;
  readonly cookie?: bigint;
  readonly source?: string;
  readonly draw?: number;
}

/** The socket core over the rows of S; pod P's namespace is known, a stranger's is not. */
class Sockets {
  readonly vector: Vector;
  readonly rig = kernel!.begin({ name: '', rows: service(), steps: [] }, object);

  constructor(facts: ServiceFacts = {}, rest: Partial<Vector> = {}) {
    this.vector = { name: 'socket', rows: service(facts), steps: [], ...rest };
    this.rig = kernel!.begin(this.vector, object);
    put(this.rig, 'fl_netns', [[
      layout.encodeNetnsKey({ cookie: pod }),
      layout.encodeNetns({
        addr4: bytes(at.p), addr6: bytes('::'), ifindex: 7, flags: layout.netnsFlag.hooked,
      }),
    ]]);
  }

  /** `left`, `refused`, or where the call now leads. */
  call(call: Call): string {
    const { draw = 0, netns = node } = call;
    configure(this.rig, this.vector, { seconds: 1000, draw });
    const record = layout.encodeCall({
      target: bytes(call.to), source: bytes(call.source ?? '::'), cookie: call.cookie ?? 77n,
      netns, targetPort: call.port, proto: call.proto ?? 6, hook: call.hook,
      family: call.to.includes(':') ? 6 : 4, outcome: 0,
    });
    const packet = new Uint8Array(14 + layout.callBytes);
    packet.set(record, 14);
    const ran = this.rig.run('fl_socket_test', { packet });
    const after = layout.decodeCall(ran.packet, 14);
    if (after.outcome === layout.callOutcome.left) return 'left';
    if (after.outcome === layout.callOutcome.refused) return 'refused';
    return `${ipFromBytes(after.target)}:${after.targetPort}`;
  }

  write(rows: Rows): void {
    const bits = rows.members.map((row) =>
      [layout.encodeMemberKey(row), layout.encodeMember(row)] as const);
    put(this.rig, 'fl_member', bits);
  }
}

const front = { hook: connect, to: at.cluster, port: 80 };

const calls = anyTest.macro({
  exec(t, facts: ServiceFacts, call: Call, expected: string) {
    t.is(new Sockets(facts).call(call), expected);
  },
  title: (name) => name ?? '',
});

const host = { ...front, draw: 1 };
test('V2 the host to a ClusterIP', calls, {}, host, '10.64.2.21:8080');
test('V2 the host to a VIP with eTP Local', calls, { externalLocal: true },
  { ...host, to: at.vip }, '10.64.2.21:8080');
test('V7 a pod to a VIP with eTP Local', calls, { externalLocal: true },
  { ...host, to: at.vip, netns: pod }, '10.64.2.21:8080');
test('V9 a pod to a ClusterIP with iTP Local', calls, { internalLocal: true },
  { ...host, netns: pod }, '10.64.1.21:8080');
test('V9 a drop is left to the packet', calls, { internalLocal: true, endpoints: ['b1'] },
  { ...host, netns: pod }, 'left');
test('V12 unknown port of a ClusterIP', calls, {}, { ...host, port: 81 }, 'refused');
test('V13 an unallocated address is left', calls, {}, { ...host, to: '10.200.9.9' }, 'left');
test('V13 a foreign ClusterIP is left', calls, {}, { ...host, to: '10.200.0.77' }, 'left');
test('V26 NodePort of another node', calls, {},
  { ...host, to: '192.0.2.12', port: 30080, netns: pod }, 'left');
test('V27 the host to its own loopback', calls, {},
  { ...host, to: '127.0.0.1', port: 30080 }, '10.64.2.21:8080');
test('V27 a pod to its own loopback', calls, {},
  { ...host, to: '127.0.0.1', port: 30080, netns: pod }, 'left');
test('a NodePort through the node’s address', calls, {},
  { ...host, to: at.node, port: 30080, netns: pod }, '10.64.2.21:8080');
test('the unspecified address is nobody’s front', calls, {},
  { ...host, to: '0.0.0.0', port: 30080, netns: pod }, 'left');
test('V68 a front without endpoints', calls, { endpoints: [] }, host, 'refused');
test('V68 a front without endpoints, by datagram', calls, { endpoints: [], proto: 17 },
  { ...host, hook: sendmsg, proto: 17 }, 'refused');
test('V43 a source that the ranges do not admit is left to the packet', calls,
  { ranges: [['203.0.113.0', 25]] }, { ...host, to: at.vip, netns: pod }, 'left');
test('V43 a bound source that they admit', calls, { ranges: [['203.0.113.0', 25]] },
  { ...host, to: at.vip, source: '203.0.113.9' }, '10.64.2.21:8080');
test('V43 ranges and a namespace without known address', calls, { ranges: [['0.0.0.0', 0]] },
  { ...host, to: at.vip, netns: stranger }, 'left');
test('connected UDP of a hooked pod is left to the packet', calls, { proto: 17 },
  { ...host, proto: 17, netns: pod }, 'left');
test('connected UDP of a hooked pod is refused where nobody serves', calls,
  { proto: 17, endpoints: [] }, { ...host, proto: 17, netns: pod }, 'refused');
test('another protocol is left', calls, {}, { ...host, proto: 1 }, 'left');

test('V69 the peer of a socket is the front that it called', (t) => {
  const sockets = new Sockets();
  t.is(sockets.call(host), '10.64.2.21:8080');
  const peer = { hook: getpeername, to: at.b1, port: 8080 };
  t.is(sockets.call(peer), '10.200.0.10:80');
  t.is(sockets.call({ ...peer, cookie: 78n }), 'left');
  t.is(sockets.call({ ...peer, hook: sockRelease }), 'left');
  t.is(sockets.call(peer), 'left');
});

test('V69 answers to unconnected datagrams come from the front; re-sends stay', (t) => {
  const sockets = new Sockets({ proto: 17 });
  const send = { ...front, hook: sendmsg, proto: 17 };
  const first = sockets.call(send);
  const [address = ''] = first.split(':');
  t.true(['10.64.1.21:8080', '10.64.2.21:8080', '10.64.3.21:8080'].includes(first));
  t.is(sockets.call({ ...send, draw: 99 }), first);
  t.is(sockets.call({ hook: recvmsg, proto: 17, to: address, port: 8080 }), '10.200.0.10:80');
  t.is(sockets.rig.dump('fl_sk').length, 2);
});

test('a datagram leaves an endpoint that serves no more', (t) => {
  const sockets = new Sockets({ proto: 17 });
  const send = { ...front, hook: sendmsg, proto: 17 };
  const first = sockets.call(send);
  const one = (['a1', 'b1', 'c1'] as const).find((name) => first.startsWith(`${at[name]}:`))!;
  const rest = (['a1', 'b1', 'c1'] as const).filter((name) => name !== one);
  sockets.write(service({ proto: 17, draining: [one] }));
  t.is(sockets.call(send), first);
  sockets.write(service({ proto: 17, gone: [one] }));
  const set = layout.encodeSet({
    ...service({ proto: 17, endpoints: rest }).sets[0]!, localN: rest.includes('a1') ? 1 : 0,
  });
  const cell = layout.encodeLut(service({ proto: 17, endpoints: rest }).cells[0]!);
  put(sockets.rig, 'fl_lut', [[Uint8Array.of(1, 0, 0, 0), cell]]);
  put(sockets.rig, 'fl_set', [[Uint8Array.of(1, 0, 0, 0), set]]);
  t.not(sockets.call(send), first);
});

test('V69 a mapped target is answered mapped', (t) => {
  t.is(new Sockets().call({ ...host, to: '10.200.0.10' }), '10.64.2.21:8080');
});

test('with socketLB for the host only, calls of pods are left to their packets', (t) => {
  const sockets = new Sockets({}, { options: { socketFull: 0 } });
  t.is(sockets.call({ ...host, netns: pod }), 'left');
  t.is(sockets.call(host), '10.64.2.21:8080');
});

const binds = anyTest.macro({
  exec(t, call: Partial<Call>, expected: string, options: Partial<layout.Options> = {}) {
    const sockets = new Sockets({}, { options });
    const bind = { hook: postBind, to: '::', port: 30080, source: '0.0.0.0', ...call };
    t.is(sockets.call(bind), expected);
  },
  title: (name) => `V70 a bind ${name}`,
});
test('to any address and a NodePort', binds, {}, 'refused');
test('to any address of both families and a NodePort', binds, { source: '::' }, 'refused');
test('to the node’s address and a NodePort', binds, { source: at.node }, 'refused');
test('to another address and a NodePort', binds, { source: at.h2 }, 'left');
test('to a port that is none', binds, { port: 30081 }, 'left');
test('to the same port of another protocol', binds, { proto: 17 }, 'left');
test('in a pod', binds, { netns: pod }, 'left');
test('with protection off', binds, {}, 'left', { bindProtection: 0 });

test('V71 sockets and packets of a pod share one affinity', (t) => {
  const sockets = new Sockets({ affinitySeconds: 10 });
  t.is(sockets.call({ ...host, netns: pod }), '10.64.2.21:8080');
  const rows = sockets.rig.map('fl_aff').dump();
  t.is(rows.length, 1);
  const vector: Vector = { name: 'V71', rows: service({ affinitySeconds: 10 }), steps: [] };
  const rig = kernel!.begin(vector);
  put(rig, 'fl_aff', rows.map(({ key, value }) => [key, value]));
  const packet = tcp([at.p, 999], [at.vip, 80]);
  const ran = kernel!.step(rig, vector, {
    program: 'fl_from_pod', device: 'pod', packet, seconds: 1001, draw: 0, verdict: 'next',
  });
  t.deepEqual(ran.packet, tcp([at.p, 999], [at.b1, 8080]));
});

test('a call tells what a packet would tell, once, at connect', (t) => {
  const sockets = new Sockets();
  kernel!.events(sockets.rig);
  sockets.call({ ...host, netns: pod });
  sockets.call({ ...host, hook: sendmsg, proto: 17 });
  t.deepEqual(kernel!.events(sockets.rig), ['new none 10.64.1.9:0 10.200.0.10:80 10.64.2.21:8080']);
});
