import anyTest, { type ExecutionContext } from 'ava';
import type {
  KubeAnswer, KubeError, KubeObject, KubePort, KubeRequest, Watch, WatchRequest,
} from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { Result } from '../../lb/result.ts';
import type { ApiServer } from '../../sim/api/server.ts';
import { eventText, manifest, ref } from '../api/fixture.ts';

/** What goes wrong on the way, until it is healed. */
export type KubeStrike =
  /** Nobody listens. */
  | { readonly kind: 'refuse' }
  /** Requests are served and their answers never come: by a reset, or by silence. */
  | { readonly kind: 'lost'; readonly form: 'reset' | 'silence' }
  /** The server answers this before it does anything. */
  | { readonly kind: 'status'; readonly status: number };

/** A client of an API server, and the server itself. */
export interface KubeBench {
  readonly kube: KubePort;
  readonly server: ApiServer;
  /** Lets happen what is due until `done`, or for as long as that may take. */
  pass(done: () => boolean): Promise<void>;
  /** Lets so many seconds go by at the server. */
  skip(seconds: number): Promise<void>;
  strike(strike: KubeStrike): Promise<() => Promise<void>>;
  /** Ends every watch, in order or by a lost connection. */
  drop(form: 'close' | 'cut'): void;
}

export interface KubeContract {
  /** Begins every title. */
  readonly name: string;
  /** Makes a bench, gives it to `body`, and takes it away. */
  with(body: (bench: KubeBench) => Promise<void>): Promise<void>;
}

const { leases, services, configMaps, pools } = resources;
type Answer = Result<KubeAnswer, KubeError>;
type Claim = (
  title: string, body: (t: ExecutionContext, bench: KubeBench) => Promise<void>,
) => void;

async function ask(bench: KubeBench, request: KubeRequest): Promise<Answer> {
  let answer: Answer | undefined;
  bench.kube.request(request, (result) => { answer = result; });
  await bench.pass(() => answer !== undefined);
  if (answer === undefined) throw new Error(`${request.verb} was never answered`);
  return answer;
}

async function kindOf(bench: KubeBench, request: KubeRequest): Promise<string> {
  const answer = await ask(bench, request);
  return answer.ok ? answer.value.kind : answer.error.kind;
}

function create(name: string, content: Record<string, unknown> = {}): KubeRequest {
  const body = manifest(leases, name, content);
  return { verb: 'create', resource: leases, namespace: 'default', body };
}

const lease = ref(leases, 'a');
const spec = (holderIdentity: string): KubeObject => ({ spec: { holderIdentity } });
const patch = (holder: string, more: object = {}): KubeRequest => ({
  verb: 'patch', ref: lease, body: { ...spec(holder), ...more } as never,
});

function stored({ server }: KubeBench, name = 'a'): any {
  return server.get(leases, 'default', name);
}

/** What a watch brings, as texts. */
function watching(bench: KubeBench, more: Partial<WatchRequest> = {}) {
  const heard: string[] = [];
  const request: WatchRequest = {
    resource: leases, namespace: '', resourceVersion: String(bench.server.version), ...more,
  };
  const watch: Watch = bench.kube.watch(request, {
    event: (event) => heard.push(eventText(event)),
    end: (error) => heard.push(`end ${error?.kind ?? 'in order'}`),
  });
  return { heard, watch };
}

/** A watch that the server has taken: it has brought its first event. */
async function taken(bench: KubeBench, more: Partial<WatchRequest> = {}) {
  const resourceVersion = String(bench.server.version);
  bench.server.handle(create('first') as never, 'other');
  const open = watching(bench, { resourceVersion, ...more });
  await bench.pass(() => open.heard.length === 1);
  open.heard.length = 0;
  return open;
}

/** What every `KubePort` does, whoever stands behind it (ARCHITECTURE.md, rule 2). */
export function kubeContract(contract: KubeContract): void {
  const claim: Claim = (title, body) => {
    anyTest(`${contract.name}: ${title}`, (t) => contract.with((bench) => body(t, bench)));
  };
  reads(claim);
  preconditions(claim);
  writes(claim);
  failures(claim);
  streams(claim);
  quietStreams(claim);
  streamEnds(claim);
}

function reads(claim: Claim): void {
  claim('an answer comes later, never inside the call', async (t, bench) => {
    let answered = 0;
    bench.kube.request({ verb: 'get', ref: lease }, () => { answered += 1; });
    const { heard, watch } = watching(bench, { resourceVersion: '0' });
    t.is(answered + heard.length, 0);
    await bench.pass(() => answered > 0);
    t.is(answered, 1);
    watch.cancel();
  });

  claim('get and list bring what is stored, with kind and version', async (t, bench) => {
    t.is(await kindOf(bench, create('a', spec('one'))), 'object');
    await ask(bench, create('b', { metadata: { labels: { app: 'x' } } }));
    t.deepEqual(await ask(bench, { verb: 'get', ref: lease }), {
      ok: true, value: { kind: 'object', object: stored(bench) },
    });
    const list = { verb: 'list', resource: leases, options: {} } as const;
    const resourceVersion = String(bench.server.version);
    t.deepEqual(await ask(bench, { ...list, namespace: '' }), {
      ok: true, value: { kind: 'list', items: bench.server.list(leases), resourceVersion },
    });
    const options = { labelSelector: 'app in (x,y),!z', resourceVersion: '0' };
    t.deepEqual(await ask(bench, { ...list, namespace: 'default', options }), {
      ok: true, value: { kind: 'list', items: [stored(bench, 'b')], resourceVersion },
    });
    t.deepEqual(await ask(bench, { ...list, namespace: 'kube-system' }), {
      ok: true, value: { kind: 'list', items: [], resourceVersion },
    });
  });

  claim('a megabyte of many alphabets comes whole', async (t, bench) => {
    const alphabets = 'ä日本語\u{1F6A2}\u2028"\\\n';
    const text = alphabets.repeat(Math.floor(1_000_000 / Buffer.byteLength(alphabets)));
    const open = watching(bench, { resource: configMaps });
    const body = manifest(configMaps, 'large', { data: { text } });
    const resource = configMaps;
    t.is(await kindOf(bench, { verb: 'create', resource, namespace: 'default', body }), 'object');
    const answer = await ask(bench, { verb: 'get', ref: ref(configMaps, 'large') });
    t.true(answer.ok && answer.value.kind === 'object');
    if (!answer.ok || answer.value.kind !== 'object') return;
    t.is((answer.value.object as { data?: { text?: string } }).data?.text, text);
    await bench.pass(() => open.heard.length === 1);
    t.is(open.heard.length, 1);
    open.watch.cancel();
  });
}

function preconditions(claim: Claim): void {
  claim('versions and uids are preconditions', async (t, bench) => {
    await ask(bench, create('a', spec('one')));
    const { uid, resourceVersion } = stored(bench).metadata;
    t.is(await kindOf(bench, create('a')), 'exists');
    const update = (version: string): KubeRequest => ({
      verb: 'update', ref: lease,
      body: manifest(leases, 'a', { metadata: { resourceVersion: version }, ...spec('two') }),
    });
    t.is(await kindOf(bench, update(resourceVersion)), 'object');
    t.is(await kindOf(bench, update(resourceVersion)), 'conflict');
    t.is(await kindOf(bench, patch('three', { metadata: { resourceVersion } })), 'conflict');
    const away = (preconditions: object): KubeRequest => (
      { verb: 'delete', ref: lease, preconditions }
    );
    t.is(await kindOf(bench, away({ uid: 'other' })), 'conflict');
    t.is(await kindOf(bench, away({ uid, resourceVersion })), 'conflict');
    t.is(stored(bench).spec.holderIdentity, 'two');
    const now = stored(bench).metadata.resourceVersion;
    t.is(await kindOf(bench, away({ uid, resourceVersion: now })), 'object');
    t.is(stored(bench), undefined);
  });

  claim('what is not there is gone', async (t, bench) => {
    for (const request of [
      { verb: 'get', ref: lease }, patch('x'), { verb: 'delete', ref: lease },
    ] as KubeRequest[]) t.is(await kindOf(bench, request), 'gone', request.verb);
  });
}

function writes(claim: Claim): void {
  claim('a merge patch adds and removes, and an apply sets what it names', async (t, bench) => {
    await ask(bench, create('a', { metadata: { labels: { x: '1', y: '2' } }, ...spec('one') }));
    const body = { metadata: { labels: { x: null, z: '3' } } };
    const patched = await ask(bench, { verb: 'patch', ref: lease, body });
    t.deepEqual(patched, { ok: true, value: { kind: 'object', object: stored(bench) } });
    t.deepEqual(stored(bench).metadata.labels, { y: '2', z: '3' });
    const applied = { ...manifest(leases, 'a'), ...spec('two') };
    const apply = { verb: 'apply', ref: lease, manager: 'tester', body: applied } as const;
    t.is(await kindOf(bench, apply), 'object');
    t.is(stored(bench).spec.holderIdentity, 'two');
    t.deepEqual(stored(bench).metadata.labels, { y: '2', z: '3' });
  });

  claim('a write to the status changes nothing else, nor the reverse', async (t, bench) => {
    const resource = services;
    const namespace = 'default';
    const body = manifest(services, 's', { spec: { ports: [{ port: 80 }], type: 'LoadBalancer' } });
    await ask(bench, { verb: 'create', resource, namespace, body });
    const target = ref(services, 's');
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } };
    const change = { spec: { sessionAffinity: 'ClientIP' }, status };
    const now = (): any => bench.server.get(services, 'default', 's');
    await ask(bench, { verb: 'patch', ref: target, subresource: 'status', body: change });
    t.is(now().spec.sessionAffinity, 'None');
    t.deepEqual(now().status.loadBalancer.ingress[0].ip, '192.0.2.1');
    const other = { spec: { sessionAffinity: 'ClientIP' }, status: { loadBalancer: {} } };
    await ask(bench, { verb: 'patch', ref: target, body: other });
    t.is(now().spec.sessionAffinity, 'ClientIP');
    t.is(now().status.loadBalancer.ingress[0].ip, '192.0.2.1');
  });

  claim('what the schema refuses is invalid, with the path of the field', async (t, bench) => {
    const body = manifest(pools, 'p', { spec: { blocks: [{ cidr: 7 }] } });
    const answer = await ask(bench, { verb: 'create', resource: pools, namespace: '', body });
    t.false(answer.ok);
    if (answer.ok) return;
    t.is(answer.error.kind, 'invalid');
    t.regex(answer.error.message, /spec\.blocks\[0\]\.cidr/u);
  });
}

function failures(claim: Claim): void {
  const rows = [
    [400, 'invalid'], [401, 'denied'], [403, 'denied'], [404, 'gone'], [410, 'expired'],
    [422, 'invalid'], [429, 'throttled'], [500, 'server'], [503, 'server'],
  ] as const;
  claim('each status has its kind, for a request and for a watch', async (t, bench) => {
    await ask(bench, create('a', spec('one')));
    for (const [status, kind] of rows) {
      const heal = await bench.strike({ kind: 'status', status });
      const answer = await ask(bench, patch('two'));
      t.is(answer.ok ? 'ok' : answer.error.kind, kind, `${status}`);
      if (!answer.ok && status === 429) t.is(answer.error.retryAfter, 1_000_000);
      const { heard } = watching(bench);
      await bench.pass(() => heard.length > 0);
      t.deepEqual(heard, [`end ${kind}`], `watch ${status}`);
      await heal();
    }
    t.is(stored(bench).spec.holderIdentity, 'one', 'nothing was done');
  });

  claim('while nobody listens nothing is done, and everything knows it', async (t, bench) => {
    await ask(bench, create('a', spec('one')));
    const heal = await bench.strike({ kind: 'refuse' });
    t.is(await kindOf(bench, patch('two')), 'unreachable');
    t.is(await kindOf(bench, { verb: 'get', ref: lease }), 'unreachable');
    const { heard } = watching(bench);
    await bench.pass(() => heard.length > 0);
    t.deepEqual(heard, ['end unreachable']);
    await heal();
    t.is(stored(bench).spec.holderIdentity, 'one');
    t.is(await kindOf(bench, { verb: 'get', ref: lease }), 'object');
  });

  for (const form of ['reset', 'silence'] as const) {
    claim(`an answer that is lost by ${form} leaves a write unknown`, async (t, bench) => {
      await ask(bench, create('a', spec('one')));
      const heal = await bench.strike({ kind: 'lost', form });
      // Long enough for the way to the server, which a slow machine may take.
      const timeout = 1_000_000;
      t.is(await kindOf(bench, { ...patch('two'), timeout }), 'unknown-outcome');
      t.is(stored(bench).spec.holderIdentity, 'two', 'it was done all the same');
      t.is(await kindOf(bench, { verb: 'get', ref: lease, timeout }), 'unreachable');
      await heal();
      t.is(await kindOf(bench, { verb: 'get', ref: lease }), 'object');
    });
  }
}

function streams(claim: Claim): void {
  claim('a watch brings every later event in order, deletions with theirs', async (t, bench) => {
    await ask(bench, create('old'));
    const { heard, watch } = watching(bench);
    const from = bench.server.version;
    await ask(bench, create('a'));
    await ask(bench, patch('one'));
    await ask(bench, patch('one'));
    await ask(bench, { verb: 'delete', ref: lease });
    await ask(bench, create('a'));
    await bench.pass(() => heard.length === 4);
    t.deepEqual(heard, [
      `ADDED a@${from + 1}`, `MODIFIED a@${from + 2}`, `DELETED a@${from + 3}`,
      `ADDED a@${from + 4}`,
    ]);
    watch.cancel();
  });

  claim('what came between the list and the watch is not lost', async (t, bench) => {
    const resourceVersion = String(bench.server.version);
    for (const name of ['a', 'b', 'c']) await ask(bench, create(name));
    const { heard, watch } = watching(bench, { resourceVersion });
    await bench.pass(() => heard.length === 3);
    t.deepEqual(heard.map((text) => text.split('@')[0]), ['ADDED a', 'ADDED b', 'ADDED c']);
    watch.cancel();
  });

  claim('what enters or leaves a selector is added and deleted', async (t, bench) => {
    const { heard, watch } = watching(bench, { labelSelector: 'app=x', namespace: 'default' });
    const label = (app: string): KubeRequest => (
      { verb: 'patch', ref: lease, body: { metadata: { labels: { app } } } }
    );
    await ask(bench, create('a'));
    for (const app of ['x', 'y']) await ask(bench, label(app));
    await bench.pass(() => heard.length === 2);
    t.deepEqual(heard.map((text) => text.split('@')[0]), ['ADDED a', 'DELETED a']);
    watch.cancel();
  });
}

function quietStreams(claim: Claim): void {
  claim('while nothing happens a bookmark comes each minute', async (t, bench) => {
    const { heard, watch } = await taken(bench);
    await ask(bench, { ...create('elsewhere'), resource: configMaps } as KubeRequest);
    await bench.skip(70);
    await bench.pass(() => heard.length > 0);
    t.deepEqual(heard, [`BOOKMARK @${bench.server.version}`]);
    watch.cancel();
  });

  claim('a cancelled watch is silent, also when it was cancelled by an event', async (t, bench) => {
    const { heard, watch } = await taken(bench);
    let told = 0;
    const other: Watch = bench.kube.watch(
      { resource: leases, namespace: '', resourceVersion: String(bench.server.version) },
      { event: () => { told += 1; other.cancel(); }, end: () => { told += 1; } },
    );
    const third = watching(bench);
    for (const name of ['a', 'b', 'c']) {
      await ask(bench, create(name));
      if (name === 'a') watch.cancel();
    }
    await bench.pass(() => third.heard.length === 3);
    t.is(told, 1);
    t.true(heard.length <= 1, heard.join(' '));
    third.watch.cancel();
  });
}

function streamEnds(claim: Claim): void {
  claim('a watch from a version that was compacted away ends with 410', async (t, bench) => {
    for (const name of ['a', 'b']) await ask(bench, create(name));
    bench.server.compact();
    const { heard } = watching(bench, { resourceVersion: '1' });
    await bench.pass(() => heard.length > 0);
    t.deepEqual(heard, ['end expired']);
  });

  claim('a watch that is closed ends in order, one that is lost by an error', async (t, bench) => {
    for (const [form, end] of [['close', 'end in order'], ['cut', 'end unreachable']] as const) {
      const { heard } = await taken(bench);
      bench.drop(form);
      await bench.pass(() => heard.length > 0);
      t.deepEqual(heard, [end]);
      await ask(bench, { verb: 'delete', ref: ref(leases, 'first') });
      t.deepEqual(heard, [end], 'nothing follows the end');
    }
  });
}
