import test from 'ava';
import fc from 'fast-check';
import { ip, type Family } from '../../lb/ip.ts';
import type { FsmEvent, FsmOutput, LinkName, PeerConfig } from '../../sim/bgp/events.ts';
import { sessionStateOf, stepFsm, stoppedState, type FsmState } from '../../sim/bgp/fsm.ts';
import {
  notification, type BgpMessage, type Notification, type OpenMessage,
} from '../../sim/bgp/message.ts';

const second = 1_000_000;
const span = { min: second, max: 2 * second };
const both: readonly Family[] = ['IPv4', 'IPv6'];
const own: PeerConfig = {
  localAsn: 65_001, routerId: ip('10.0.0.5'), peerAsn: 65_010, hold: 15, keepalive: 5,
  families: both, extendedNextHop: true, passive: false, firstDial: span, redial: span,
  idleHold: 5 * second, restart: { time: 60, restarting: false }, staleTime: 360 * second,
};
const theirs: OpenMessage = {
  kind: 'open', asn: 65_010, asn4: true, holdTime: 90, routerId: ip('10.0.0.3'),
  capabilities: { families: both, routeRefresh: true, extendedNextHop: true },
};
const keepalive: BgpMessage = { kind: 'keepalive' };

/** A machine that events are told to one after the other. */
class Fsm {
  readonly config: PeerConfig;
  state: FsmState = stoppedState;
  outputs: FsmOutput[] = [];

  constructor(config: Partial<PeerConfig> = {}) {
    this.config = { ...own, ...config };
    this.tell({ kind: 'start' });
  }

  /** What it answers to this event alone. */
  tell(event: FsmEvent): readonly FsmOutput[] {
    const { state, outputs } = stepFsm(this.config, this.state, event);
    this.state = state;
    this.outputs.push(...outputs);
    return outputs;
  }

  hear(message: BgpMessage, link: LinkName = 'dialled'): readonly FsmOutput[] {
    return this.tell({ kind: 'message', link, message });
  }

  /** To established, on a connection that one side opened. */
  up(open: OpenMessage = theirs, link: LinkName = 'dialled'): this {
    this.tell({ kind: 'connected', link });
    this.hear(open, link);
    this.hear(keepalive, link);
    return this;
  }
}

function notified(outputs: readonly FsmOutput[]): string[] {
  return outputs.flatMap((output) =>
    output.kind === 'send' && output.message.kind === 'notification'
      ? [`${output.link} ${output.message.code}/${output.message.subcode}`] : []);
}

test('a session goes through the states of RFC 4271', (t) => {
  const fsm = new Fsm();
  const seen = [sessionStateOf(fsm.state)];
  for (const event of [
    { kind: 'timer', timer: 'dial' }, { kind: 'connected', link: 'dialled' },
    { kind: 'message', link: 'dialled', message: theirs },
    { kind: 'message', link: 'dialled', message: keepalive },
  ] as const) {
    fsm.tell(event);
    seen.push(sessionStateOf(fsm.state));
  }
  t.deepEqual(seen, ['active', 'connect', 'open-sent', 'open-confirm', 'established']);
});

const refused = test.macro({
  exec: (t, config: Partial<PeerConfig>, open: Partial<OpenMessage>, code: string) => {
    const fsm = new Fsm(config);
    fsm.tell({ kind: 'connected', link: 'dialled' });
    t.deepEqual(notified(fsm.hear({ ...theirs, ...open })), code === '' ? [] : [`dialled ${code}`]);
    t.is(sessionStateOf(fsm.state), code === '' ? 'open-confirm' : 'idle');
  },
  title: (name) => `an OPEN with ${name}`,
});
test('another AS number is 2/2', refused, {}, { asn: 65_099 }, '2/2');
test('any AS number where any is accepted', refused, { peerAsn: 0 }, { asn: 65_099 }, '');
test('our identifier from our system is 2/3', refused,
  { peerAsn: 0 }, { asn: 65_001, routerId: own.routerId }, '2/3');
test('our identifier from another system', refused, {}, { routerId: own.routerId }, '');
test('no common family is 2/7', refused, { families: ['IPv6'] },
  { capabilities: { ...theirs.capabilities, families: ['IPv4'] } }, '2/7');
test('no family at all, which means IPv4', refused, { families: ['IPv4'] },
  { capabilities: { ...theirs.capabilities, families: [] } }, '');

const timers = test.macro({
  exec: (t, [hold, alive]: [number, number], offered: number, applied: [number, number]) => {
    const { session } = new Fsm({ hold, keepalive: alive }).up({ ...theirs, holdTime: offered })
      .state;
    t.deepEqual([session?.hold, session?.keepalive], applied);
  },
  title: (_, of: [number, number], offered: number, applied: [number, number]) =>
    `row 27: ${of.join('/')} with a peer of ${offered} applies ${applied.join('/')}`,
});
test(timers, [15, 5], 90, [15, 5]);
test(timers, [15, 5], 9, [9, 3]);
test(timers, [90, 10], 90, [90, 10]);
test(timers, [15, 5], 0, [0, 0]);

const disorder = test.macro({
  exec: (t, before: readonly BgpMessage[], message: BgpMessage, code: string) => {
    const fsm = new Fsm();
    fsm.tell({ kind: 'connected', link: 'dialled' });
    for (const one of before) fsm.hear(one);
    t.deepEqual(notified(fsm.hear(message)), [`dialled ${code}`]);
  },
  title: (name) => `${name} (RFC 6608)`,
});
const update: BgpMessage = { kind: 'update', withdrawn: [], announced: [] };
test('a KEEPALIVE before the OPEN is 5/1', disorder, [], keepalive, '5/1');
test('an UPDATE before the first KEEPALIVE is 5/2', disorder, [theirs], update, '5/2');
test('an OPEN in a session is 5/3', disorder, [theirs, keepalive], theirs, '5/3');

test('the end of the hold time is told by 4/0 and idles', (t) => {
  const fsm = new Fsm().up();
  t.deepEqual(notified(fsm.tell({ kind: 'timer', timer: 'hold-dialled' })), ['dialled 4/0']);
  t.is(sessionStateOf(fsm.state), 'idle');
  t.true(fsm.outputs.some((output) => output.kind === 'arm' && output.timer === 'idle-hold'));
});

test('while idle a connection is refused', (t) => {
  const fsm = new Fsm().up();
  fsm.tell({ kind: 'timer', timer: 'hold-dialled' });
  const outputs = fsm.tell({ kind: 'connected', link: 'accepted' });
  t.deepEqual(outputs, [{ kind: 'close', link: 'accepted', how: 'reset' }]);
});

test('of two connections both sides keep the one that the higher identifier opened', (t) => {
  const id = fc.integer({ min: 1, max: 0xffff_fffe }).map((number) =>
    ip([24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')));
  fc.assert(fc.property(id, id, fc.boolean(), (left, right, first) => {
    fc.pre(left !== right);
    const a = new Fsm({ routerId: left });
    const b = new Fsm({ routerId: right, localAsn: 65_010, peerAsn: 65_001 });
    const openOf = (fsm: Fsm): OpenMessage =>
      ({ ...theirs, asn: fsm.config.localAsn, routerId: fsm.config.routerId });
    for (const fsm of [a, b]) {
      fsm.tell({ kind: 'connected', link: 'dialled' });
      fsm.tell({ kind: 'connected', link: 'accepted' });
    }
    const order: readonly LinkName[] = first ? ['dialled', 'accepted'] : ['accepted', 'dialled'];
    for (const link of order) a.hear(openOf(b), link);
    for (const link of order) b.hear(openOf(a), link);
    const [kept, other] = [Object.keys(a.state.attempts), Object.keys(b.state.attempts)];
    // What one dialled, the other accepted.
    t.deepEqual([kept.length, other.length], [1, 1]);
    t.not(kept[0], other[0]);
    t.deepEqual(notified(a.outputs).map((text) => text.split(' ')[1]), ['6/7']);
  }), { numRuns: 200 });
});

const offer = (notificationBit: boolean, forwarding = true): OpenMessage => ({
  ...theirs, capabilities: {
    ...theirs.capabilities, restart: {
      restarting: true, notification: notificationBit, time: 30,
      families: both.map((family) => ({ family, forwarding })),
    },
  },
});

const keeps = test.macro({
  exec: (t, bit: boolean, ending: Notification | 'lost', stale: readonly Family[]) => {
    const fsm = new Fsm().up(offer(bit));
    if (ending === 'lost') fsm.tell({ kind: 'lost', link: 'dialled', cause: 'reset' });
    else fsm.hear(ending);
    t.deepEqual(fsm.state.stale, stale);
  },
  title: (name) => name ?? '',
});
test('a broken connection keeps routes (RFC 4724)', keeps, false, 'lost', both);
test('a NOTIFICATION drops them', keeps, false, notification(6, 4), []);
test('a NOTIFICATION keeps them with the N-bit (RFC 8538)', keeps, true, notification(6, 4), both);
test('a hard reset drops them all the same', keeps, true, notification(6, 9), []);

function swept(outputs: readonly FsmOutput[]): readonly Family[] {
  return outputs.flatMap((output) => (output.kind === 'sweep' ? output.families : []));
}

test('stale routes go at once where forwarding was not kept', (t) => {
  const fsm = new Fsm().up(offer(true));
  fsm.tell({ kind: 'lost', link: 'dialled', cause: 'reset' });
  fsm.tell({ kind: 'timer', timer: 'idle-hold' });
  fsm.outputs = [];
  t.deepEqual(swept(fsm.up(offer(true, false)).outputs), both);
});

test('stale routes go family by family at its End-of-RIB', (t) => {
  const fsm = new Fsm().up(offer(true));
  fsm.tell({ kind: 'lost', link: 'dialled', cause: 'reset' });
  fsm.tell({ kind: 'timer', timer: 'idle-hold' });
  fsm.outputs = [];
  fsm.up(offer(true));
  t.deepEqual(swept(fsm.outputs), []);
  const end = (family: Family): BgpMessage =>
    ({ kind: 'update', withdrawn: [], announced: [], endOfRib: family });
  t.deepEqual(swept(fsm.hear(end('IPv4'))), ['IPv4']);
  t.deepEqual(swept(fsm.hear(end('IPv6'))), ['IPv6']);
});

test('a peer that restarted is taken before its old session is known to be dead', (t) => {
  const fsm = new Fsm({ passive: true }).up(offer(true), 'accepted');
  fsm.tell({ kind: 'replaced', link: 'accepted' });
  t.deepEqual(fsm.state.stale, both);
  t.is(sessionStateOf(fsm.up(offer(true), 'accepted').state), 'established');
});

const links = fc.constantFrom<LinkName>('dialled', 'accepted');
const events: fc.Arbitrary<FsmEvent> = fc.oneof(
  fc.constant<FsmEvent>({ kind: 'start' }),
  fc.constant<FsmEvent>({ kind: 'stop', say: notification(6, 3) }),
  links.map((link): FsmEvent => ({ kind: 'connected', link })),
  links.map((link): FsmEvent => ({ kind: 'replaced', link })),
  links.map((link): FsmEvent => ({ kind: 'lost', link, cause: 'reset' })),
  fc.tuple(links, fc.constantFrom<BgpMessage>(
    theirs, offer(true), offer(false), keepalive, update, notification(6, 4),
  )).map(([link, message]): FsmEvent => ({ kind: 'message', link, message })),
  fc.constantFrom('dial', 'idle-hold', 'hold-dialled', 'hold-accepted', 'keepalive', 'restart',
    'stale').map((timer): FsmEvent => ({ kind: 'timer', timer: timer as 'dial' })),
);

test('whatever comes, there is one session at most, ups and downs alternate, idle is silent', (t) => {
  fc.assert(fc.property(fc.array(events, { maxLength: 60 }), (history) => {
    const fsm = new Fsm();
    for (const event of history) {
      const idle = fsm.state.phase === 'idle' && Object.keys(fsm.state.attempts).length === 0;
      const outputs = fsm.tell(event);
      if (idle && fsm.state.phase === 'idle')
        t.false(outputs.some(({ kind }) => kind === 'dial' || kind === 'send'));
      const { session, attempts } = fsm.state;
      t.true(session === undefined || attempts[session.link] === undefined);
    }
    const turns = fsm.outputs.map(({ kind }) => kind)
      .filter((kind) => kind === 'up' || kind === 'down');
    turns.forEach((turn, index) => t.is(turn, index % 2 === 0 ? 'up' : 'down'));
  }), { numRuns: 500 });
});
