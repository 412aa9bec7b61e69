import test from 'ava';
import fc from 'fast-check';
import { judgeRow, rowLives, type FlowRow, type FlowState } from '../../lb/flow.ts';
import { placeOf } from '../../lb/nodefacts.ts';
import {
  deriveServicePorts, DerivationMemo, type ServicePortRecord,
} from '../../lb/serviceport.ts';
import { tcpFlag, type Packet } from '../../sim/net/packet.ts';
import { endpoint, everyEndpoint, names, nodes, service, slice } from './fixture.ts';
import type { Probe } from './probe.ts';
import { backend, nodeA, tcp, udp } from './walk.ts';

const { syn, ack, fin, rst } = tcpFlag;
const second = 1_000_000;
const ports = (['TCP', 'UDP'] as const).map(
  (protocol) => ({ name: protocol, protocol, port: 80, nodePort: 0 }),
);
const listed = ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 }));
const of = service({ ports });
const [, b1] = everyEndpoint;

/** What becomes of a1, the endpoint that the flow went to. */
const fates = {
  stays: [endpoint('a1'), b1!],
  drains: [endpoint('a1', { ready: false, serving: true, terminating: true }), b1!],
  goes: [b1!],
} as const;

/** Packets that bring a row into a state, the last of them now. */
const histories: Record<FlowState | 'datagram' | 'dialogue', (programs: Probe) => void> = {
  handshake: (programs) => void programs.uplinkIn(tcp('X:40000', 'VIP:80', syn)),
  open: (programs) => {
    histories.handshake(programs);
    programs.uplinkOut(tcp('a1:8080', 'X:40000', syn | ack));
    programs.uplinkIn(tcp('X:40000', 'VIP:80', ack));
  },
  'half-closed': (programs) => {
    histories.open(programs);
    programs.uplinkIn(tcp('X:40000', 'VIP:80', fin | ack));
  },
  closing: (programs) => {
    histories.open(programs);
    programs.uplinkIn(tcp('X:40000', 'VIP:80', rst));
  },
  datagram: (programs) => void programs.uplinkIn(udp('X:40000', 'VIP:80')),
  dialogue: (programs) => {
    histories.datagram(programs);
    programs.uplinkOut(udp('a1:8080', 'X:40000'));
  },
};

function recordOf(fate: keyof typeof fates, protocol: 'TCP' | 'UDP'): ServicePortRecord {
  const context = { place: placeOf('n-a', nodes[0]), memo: new DerivationMemo('one') };
  const slices = [slice(fates[fate], { ports: listed })];
  const found = deriveServicePorts(of, slices, { ...context, algorithm: 'random' })
    .find((record) => record.kind === 'service-port' && record.protocol === protocol);
  return found as ServicePortRecord;
}

interface Question {
  readonly history: keyof typeof histories;
  readonly fate: keyof typeof fates;
  readonly wait: number;
  readonly opens: boolean;
}

/** The rules of datapath.md 8.4 about the next packet: `a1`, another endpoint, or no row. */
function ruled({ history, fate, wait, opens }: Question): 'kept' | 'chosen' | 'drop noRow' {
  const datagram = history === 'datagram' || history === 'dialogue';
  const protocol = datagram ? 'UDP' : 'TCP';
  const [before, record] = [recordOf('stays', protocol), recordOf(fate, protocol)];
  const row: FlowRow = {
    servicePort: before.id, scope: 'cluster', generation: 1, last: 0,
    backend: before.backends.find(({ ip }) => ip === names['a1'])!,
    state: datagram ? 'open' : history, answered: history !== 'datagram' && history !== 'handshake',
    closedAt: history === 'half-closed' || history === 'closing' ? 0 : undefined,
  };
  const fresh = datagram || opens ? 'chosen' : 'drop noRow';
  if (!rowLives(row, protocol, wait * second)) return fresh;
  const generation = fate === 'stays' ? 1 : 2;
  const event = { protocol, syn: opens && !datagram, now: wait * second, generation } as const;
  return judgeRow(row, event, record) === 'choose' ? fresh : 'kept';
}

function seen({ history, fate, wait, opens }: Question): string {
  const slices = [slice(fates.stays, { ports: listed })];
  const { rig, programs } = nodeA({ services: [of], slices, draws: [0, 1] });
  histories[history](programs);
  if (fate !== 'stays') {
    rig.tables.slices.upsert('default/s-1', slice(fates[fate], { ports: listed }));
  }
  rig.run(wait);
  const datagram = history === 'datagram' || history === 'dialogue';
  const packet: Packet = datagram
    ? udp('X:40000', 'VIP:80')
    : tcp('X:40000', 'VIP:80', opens ? syn : ack);
  const target = backend(programs.uplinkIn(packet));
  if (target === names['a1']) return 'kept';
  return target === names['b1'] ? 'chosen' : target ?? 'nothing';
}

// A wait on the second of a limit would judge the rounding of the rows, which hold whole seconds.
const waits = [1, 4, 9, 12, 28, 33, 58, 63, 118, 123, 3_597, 3_603, 7_437, 7_443];

test('the programs keep and leave rows as the rules of datapath.md 8.4 say', (t) => {
  fc.assert(fc.property(fc.record({
    history: fc.constantFrom(...Object.keys(histories) as (keyof typeof histories)[]),
    fate: fc.constantFrom(...Object.keys(fates) as (keyof typeof fates)[]),
    wait: fc.constantFrom(...waits),
    opens: fc.boolean(),
  }), (question) => {
    fc.pre(question.history !== 'handshake' || question.opens);
    t.is(seen(question), ruled(question), JSON.stringify(question));
  }), { numRuns: 150 });
});
