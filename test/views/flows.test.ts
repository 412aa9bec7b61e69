import test from 'ava';
import {
  encodeFlow, encodeFlowKey, flowBit, flowKind, type Flow, type FlowKey,
} from '../../bpf/layout.gen.ts';
import type { MapReader } from '../../bpf/views/mapreader.ts';
import { printFlows } from '../../cli/lbviews.ts';
import { ip, ipBytes16 } from '../../lb/ip.ts';
import { altered, shown } from './maps.ts';

const none: MapReader = { dump: () => [], lookup: () => undefined };
const at = (text: string): Uint8Array => ipBytes16(ip(text));

const forward: FlowKey = {
  source: at('203.0.113.7'), target: at('198.51.100.10'), sourcePort: 40_000, targetPort: 80,
  proto: 6, kind: flowKind.forward,
};
const row: Flow = {
  peer: at('10.64.2.21'), nat: at('192.0.2.11'), peerPort: 8080, natPort: 57_707, svcId: 1,
  backendId: 2, gen: 1, lastS: 990, createdS: 900, closedS: 0,
  state: flowBit.answered | flowBit.snat,
};
// The pair of V49 and V50: the reply is keyed by what the endpoint answers.
const reply: FlowKey = {
  ...forward, source: row.peer, sourcePort: 8080, target: row.nat, targetPort: 57_707,
  kind: flowKind.reply,
};
const replyRow: Flow = {
  ...row, peer: forward.target, peerPort: 80, nat: forward.source, natPort: 40_000, lastS: 995,
};

const entry = (key: FlowKey, value: Flow) => ({
  key: encodeFlowKey(key), value: encodeFlow(value),
});

test('both halves of a translated connection name the same four places', async (t) => {
  const maps = altered(
    altered(none, 'fl_ct', [entry(forward, row)]), 'fl_snat', [entry(reply, replyRow)],
  );
  t.deepEqual((await shown(printFlows, maps, {})).out.split('\n'), [
    'NODE   DIR       PROTO   CLIENT              FRONT              ENDPOINT          SNAT               STATE   IDLE',
    'n-a    forward   TCP     203.0.113.7:40000   198.51.100.10:80   10.64.2.21:8080   192.0.2.11:57707   open    10s',
    'n-a    reply     TCP     203.0.113.7:40000   198.51.100.10:80   10.64.2.21:8080   192.0.2.11:57707   open    5s',
    '',
  ]);
  const { items } = JSON.parse((await shown(printFlows, maps, { output: 'json' })).out) as {
    items: { idleMs: number; idleSeconds?: number }[];
  };
  t.deepEqual(items.map(({ idleMs }) => idleMs), [10_000, 5_000]);
  t.is(items[0]?.idleSeconds, undefined);
});

test('a connection to a local endpoint has no SNAT, its reply goes to the client', async (t) => {
  const local = { ...row, nat: new Uint8Array(16), natPort: 0, state: flowBit.answered };
  const back = { ...reply, target: forward.source, targetPort: 40_000 };
  const maps = altered(none, 'fl_ct', [
    entry(back, { ...replyRow, state: flowBit.answered }), entry(forward, local),
  ]);
  const { out } = await shown(printFlows, maps, { headers: false });
  t.deepEqual(out.trimEnd().split('\n').map((line) => line.split(/ {3,}/u).slice(3, 7)), [
    ['203.0.113.7:40000', '198.51.100.10:80', '10.64.2.21:8080', '-'],
    ['203.0.113.7:40000', '198.51.100.10:80', '10.64.2.21:8080', '-'],
  ]);
});

const { answered, finClient, finEndpoint, rstEndpoint, midstream } = flowBit;

const states = test.macro({
  exec: async (t, proto: number, bits: number, idle: number, state: string) => {
    const maps = altered(none, 'fl_ct', [
      entry({ ...forward, proto }, { ...row, state: bits, lastS: 1_000 - idle }),
    ]);
    const { out } = await shown(printFlows, maps, { headers: false });
    t.is(out.trimEnd().split(/ {3,}/u)[7], state);
  },
  title: (_, proto, bits, idle, state) => `protocol ${proto} bits ${bits} idle ${idle}s: ${state}`,
});

test(states, 6, 0, 59, 'handshake');
test(states, 6, 0, 60, 'expired');
test(states, 6, answered, 900, 'open');
test(states, 6, midstream, 900, 'open');
test(states, 6, answered | finClient, 900, 'half-closed');
test(states, 6, answered | finClient | finEndpoint, 9, 'closing');
test(states, 6, rstEndpoint, 10, 'expired');
test(states, 17, 0, 29, 'unanswered');
test(states, 17, 0, 30, 'expired');
test(states, 17, answered, 119, 'answered');
test(states, 132, 0, 599, 'open');
test(states, 132, answered, 600, 'expired');
// Written by another CPU in the second that is only about to begin here.
test(states, 6, answered, -1, 'open');

test('rows sort by client as a number, then by protocol, front and direction', async (t) => {
  const from = (source: string, more: Partial<FlowKey> = {}) => entry(
    { ...forward, source: at(source), ...more }, row,
  );
  const maps = altered(none, 'fl_ct', [
    from('2001:db8::7'), from('203.0.113.70'), from('203.0.113.9'),
    from('203.0.113.9', { proto: 17 }), from('203.0.113.9', { target: at('10.200.0.10') }),
  ]);
  const { out } = await shown(printFlows, maps, { headers: false });
  t.deepEqual(out.trimEnd().split('\n').map((line) => (
    line.split(/ {3,}/u).slice(2, 5).join(' ')
  )), [
    'TCP 203.0.113.9:40000 10.200.0.10:80', 'TCP 203.0.113.9:40000 198.51.100.10:80',
    'UDP 203.0.113.9:40000 198.51.100.10:80', 'TCP 203.0.113.70:40000 198.51.100.10:80',
    'TCP [2001:db8::7]:40000 198.51.100.10:80',
  ]);
});
