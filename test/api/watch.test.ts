import test from 'ava';
import fc from 'fast-check';
import type { KubeObject, WatchEvent } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import {
  create, eventText, leases, objectIn, passTo, ref, rig, verdict, type Rig,
} from './fixture.ts';

function watch(
  at: Rig, resourceVersion: string, more: { labelSelector?: string; namespace?: string } = {},
) {
  const heard: string[] = [];
  const { namespace = '', labelSelector } = more;
  const opened = at.server.watch(
    { resource: leases, namespace, resourceVersion, ...(labelSelector !== undefined && { labelSelector }) },
    { event: (event) => { heard.push(eventText(event)); }, end: () => { heard.push('end'); } },
  );
  return { heard, opened };
}

function label(at: Rig, name: string, labels: Record<string, string | null>) {
  return objectIn(
    at.ask({ verb: 'patch', ref: ref(leases, name), body: { metadata: { labels } } }),
  );
}

test('A2: a list carries the version of its snapshot, and a version ahead of the server is answered 504', (t) => {
  const at = rig();
  create(at, leases, 'b');
  create(at, leases, 'a');
  const list = (resourceVersion?: string) => at.ask({
    verb: 'list', resource: leases, namespace: '', options: resourceVersion === undefined
      ? {}
      : { resourceVersion },
  });
  const answer = list();
  if (!answer.ok || answer.value.kind !== 'list') return t.fail();
  t.deepEqual(answer.value.items.map((item) => item.metadata?.name), ['a', 'b']);
  t.is(answer.value.resourceVersion, String(at.server.version));
  t.is(verdict(list(String(at.server.version))), 'ok');
  t.regex(verdict(list(String(at.server.version + 1))), /^server: Too large resource version/);
});

test('A2: a stale list shows the past, at the version of the past', (t) => {
  const at = rig();
  create(at, leases, 'a', { spec: { holderIdentity: 'old' } });
  create(at, leases, 'gone');
  const { version } = at.server;
  passTo(at, 5_000_000);
  at.ask({ verb: 'patch', ref: ref(leases, 'a'), body: { spec: { holderIdentity: 'new' } } });
  at.ask({ verb: 'delete', ref: ref(leases, 'gone') });
  create(at, leases, 'late');
  const request = {
    verb: 'list', resource: leases, namespace: '', options: { resourceVersion: '0' },
  } as const;
  const answer = at.server.staleList(request, 4_000_000);
  if (!answer.ok || answer.value.kind !== 'list') return t.fail();
  t.deepEqual(
    answer.value.items.map(
      (item) => `${item.metadata?.name} ${String((item['spec'] as any)?.holderIdentity)}`,
    ),
    ['a old', 'gone undefined'],
  );
  t.is(answer.value.resourceVersion, String(version));
});

test('A3: a watch brings every later event in order, a deletion at its own version', (t) => {
  const at = rig();
  create(at, leases, 'a');
  const from = at.server.version;
  create(at, leases, 'b');
  const { heard } = watch(at, String(from));
  at.ask({ verb: 'patch', ref: ref(leases, 'b'), body: { spec: { holderIdentity: 'x' } } });
  at.ask({ verb: 'delete', ref: ref(leases, 'a') });
  t.deepEqual(heard, [`ADDED b@${from + 1}`, `MODIFIED b@${from + 2}`, `DELETED a@${from + 3}`]);
});

test('A3: without a version, and with 0, a watch begins with what there is', (t) => {
  const at = rig();
  create(at, leases, 'b');
  create(at, leases, 'a');
  for (const version of ['', '0']) t.deepEqual(
    watch(at, version).heard.map((text) => text.split('@')[0]), ['ADDED a', 'ADDED b'],
  );
});

test('A3: a change of selector match is ADDED or DELETED, from history and live alike', (t) => {
  const at = rig();
  const from = String(at.server.version);
  const live = watch(at, from, { labelSelector: 'fairlead.dev/l2 in (session, lock)' });
  create(at, leases, 'a');
  label(at, 'a', { 'fairlead.dev/l2': 'session' });
  label(at, 'a', { 'fairlead.dev/l2': 'lock' });
  const last = at.server.version;
  label(at, 'a', { 'fairlead.dev/l2': null });
  at.ask({ verb: 'delete', ref: ref(leases, 'a') });
  const expected = [`ADDED a@${last - 1}`, `MODIFIED a@${last}`, `DELETED a@${last + 1}`];
  t.deepEqual(live.heard, expected);
  t.deepEqual(
    watch(at, from, { labelSelector: 'fairlead.dev/l2 in (session, lock)' }).heard, expected,
  );
});

test('A3: what leaves the selector is shown as it last matched', (t) => {
  const at = rig();
  create(at, leases, 'a', { metadata: { labels: { in: 'yes' } } });
  const seen: WatchEvent[] = [];
  const request = {
    resource: leases,
    namespace: '',
    labelSelector: 'in=yes',
    resourceVersion: String(at.server.version),
  };
  at.server.watch(request, { event: (event) => { seen.push(event); }, end: () => undefined });
  label(at, 'a', { in: 'no' });
  t.deepEqual(
    seen.map((event) => event.type === 'BOOKMARK' ? [] : (event.object.metadata as any).labels),
    [{ in: 'yes' }],
  );
});

test('A3: a watch of one namespace hears nothing of another, and a cancelled one nothing at all', (t) => {
  const at = rig();
  const inside = watch(at, String(at.server.version), { namespace: 'kube-system' });
  create(at, leases, 'a');
  at.ask({
    verb: 'create', resource: leases, namespace: 'kube-system', body: { metadata: { name: 'b' } },
  });
  if ('cancel' in inside.opened) inside.opened.cancel();
  at.ask({
    verb: 'create', resource: leases, namespace: 'kube-system', body: { metadata: { name: 'c' } },
  });
  t.deepEqual(inside.heard.map((text) => text.split('@')[0]), ['ADDED b']);
});

test('A5: the watch cache keeps 75 s, and at least 100 events', (t) => {
  const at = rig();
  create(at, leases, 'a');
  const from = at.server.version;
  const write = (count: number): void => {
    for (let index = 0; index < count; index += 1) {
      objectIn(
        at.ask({
          verb: 'patch',
          ref: ref(leases, 'a'),
          body: { spec: { holderIdentity: `${at.server.version}` } },
        }),
      );
    }
  };
  const opens = (version: number): boolean => 'cancel' in watch(at, String(version)).opened;
  write(99);
  passTo(at, 3_600_000_000);
  write(1);
  t.true(opens(from), '100 events are kept however old');
  write(1);
  t.false(opens(from));
  write(500);
  t.true(opens(from + 101), 'young events are kept however many');
  const { opened } = watch(at, String(from));
  t.like(opened, { kind: 'expired', code: 410 });
});

test('A5: after a compaction older versions are 410 and the present one is not', (t) => {
  const at = rig();
  create(at, leases, 'a');
  const open = watch(at, String(at.server.version));
  create(at, leases, 'b');
  const { version } = at.server;
  at.server.compact();
  t.like(watch(at, String(version - 1)).opened, { kind: 'expired' });
  t.true('cancel' in watch(at, String(version)).opened);
  create(at, leases, 'c');
  t.deepEqual(open.heard, [`ADDED b@${version}`, `ADDED c@${version + 1}`]);
});

for (const selector of ['a in', 'a==b==c', '(a)', 'a in (b', 'a=b,']) {
  test(`A15: selector '${selector}' is a bad request for lists and watches`, (t) => {
    const at = rig();
    t.regex(
      verdict(
        at.ask({
          verb: 'list', resource: leases, namespace: '', options: { labelSelector: selector },
        }),
      ),
      /^invalid: unable to parse/,
    );
    t.like(watch(at, '0', { labelSelector: selector }).opened, { kind: 'invalid' });
  });
}

test('a listener that writes does not change the order in which others hear', (t) => {
  const at = rig();
  const orders: string[][] = [[], []];
  at.server.subscribe(leases, (event) => { orders[0]?.push(eventText(event)); });
  at.server.subscribe(leases, (event) => {
    if (event.type !== 'ADDED') return;
    label(at, event.object.metadata?.name ?? '', { seen: 'yes' });
  });
  at.server.subscribe(leases, (event) => { orders[1]?.push(eventText(event)); });
  create(at, leases, 'a');
  t.deepEqual(orders[0], orders[1]);
  t.deepEqual(orders[0]?.map((text) => text.split('@')[0]), ['ADDED a', 'MODIFIED a']);
});

test('a watch that opens while a commit is delivered hears each later event once', (t) => {
  const at = rig();
  const from = String(at.server.version);
  let late: string[] = [];
  at.server.subscribe(leases, (event) => {
    if (event.type === 'ADDED') late = watch(at, from, { namespace: 'default' }).heard;
  });
  create(at, leases, 'a');
  label(at, 'a', { x: 'y' });
  t.deepEqual(late.map((text) => text.split('@')[0]), ['ADDED a', 'MODIFIED a']);
});

/** One write of a random history: which object, and what becomes of it. */
const step = fc.record({
  name: fc.constantFrom('a', 'b', 'c'),
  namespace: fc.constantFrom('default', 'kube-system'),
  act: fc.constantFrom('create', 'update', 'status', 'label', 'delete', 'compact' as const),
  value: fc.constantFrom('x', 'y', 'z'),
});

function act(
  at: Rig,
  { name, namespace, act: what, value }: {
    name: string;
    namespace: string;
    act: string;
    value: string;
  },
): void {
  const at_ = { resource: leases, namespace, name };
  if (what === 'create') {
    at.ask({
      verb: 'create',
      resource: leases,
      namespace,
      body: { metadata: { name, labels: { v: value } } },
    });
  }
  if (what === 'update') {
    at.ask({ verb: 'patch', ref: at_, body: { spec: { holderIdentity: value } } });
  }
  if (what === 'label') {
    at.ask({ verb: 'patch', ref: at_, body: { metadata: { labels: { v: value } } } });
  }
  if (what === 'delete') at.ask({ verb: 'delete', ref: at_ });
}

test('property: whatever was written, a list and the events after it make the present list', (t) => {
  const histories = fc.array(step, { maxLength: 40 });
  const selectors = fc.constantFrom(undefined, 'v=x', 'v!=x', '!v');
  fc.assert(fc.property(histories, selectors, (history, labelSelector) => {
    const at = rig();
    const options = labelSelector === undefined ? {} : { labelSelector };
    const list = (): { items: readonly KubeObject[]; resourceVersion: string } => {
      const answer = at.ask({ verb: 'list', resource: leases, namespace: '', options });
      if (!answer.ok || answer.value.kind !== 'list') throw new Error('a list was asked for');
      return answer.value;
    };
    const key = ({ metadata }: KubeObject): string => `${metadata?.namespace}/${metadata?.name}`;
    const snapshots = [list()];
    for (const one of history) {
      act(at, one);
      snapshots.push(list());
    }
    const present = list().items.map((item) => JSON.stringify(item));
    for (const { items, resourceVersion } of snapshots) {
      const rows = new Map(items.map((item) => [key(item), item]));
      let last = Number(resourceVersion);
      at.server.watch({ resource: leases, namespace: '', resourceVersion, ...options }, {
        event(event) {
          if (event.type === 'BOOKMARK') return;
          const version = Number(event.object.metadata?.resourceVersion);
          if (version <= last) throw new Error('versions only grow');
          last = version;
          if ((event.type === 'ADDED') === rows.has(key(event.object))) {
            throw new Error(`${event.type} of ${key(event.object)} is out of place`);
          }
          if (event.type === 'DELETED') rows.delete(key(event.object));
          else rows.set(key(event.object), event.object);
        },
        end: () => undefined,
      });
      const replayed = [...rows].sort(([left], [right]) => left < right ? -1 : 1).map(
        ([, row]) => JSON.stringify(row),
      );
      if (JSON.stringify(replayed) !== JSON.stringify(present)) {
        throw new Error('the replay differs');
      }
    }
  }), { seed: 5, numRuns: 150 });
  t.pass();
});

test('property: stored objects are frozen to their depth', (t) => {
  const at = rig();
  create(at, resources.configMaps, 'c', { data: { a: { b: ['x'] } } });
  const stored = at.server.get(resources.configMaps, 'default', 'c') as any;
  t.throws(() => { stored.data.a.b.push('y'); });
  t.throws(() => { stored.metadata.labels = {}; });
});
