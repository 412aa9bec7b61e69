import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Cluster } from './cluster.ts';
import { equals, type PoolOptions, type ServiceOptions } from './objects.ts';
import { readRecord } from '../../lb/ipam/record.ts';
import { inputsOf } from '../../lb/ipam/inputs.ts';
import { sharingObstacle } from '../../lb/ipam/sharing.ts';
import { ipOf } from '../../lb/ipam/address.ts';
import type { IpamSettings } from '../../lb/ipam/settings.ts';
import type { Service } from '../../lb/model.ts';

interface PoolStep {
  readonly kind: 'pool';
  readonly name: string;
  readonly text: string;
  readonly options: PoolOptions;
}

type Step =
  | { readonly kind: 'service'; readonly name: string; readonly options: ServiceOptions }
  | { readonly kind: 'drop'; readonly name: string }
  | PoolStep
  | { readonly kind: 'dropPool'; readonly name: string }
  | { readonly kind: 'tamper'; readonly name: string; readonly ingress: string[] }
  | { readonly kind: 'refuse'; readonly name: string }
  | { readonly kind: 'node'; readonly name: string; readonly ip: string; readonly out: boolean }
  | { readonly kind: 'settle'; readonly seconds: number };

const names = fc.constantFrom('s0', 's1', 's2', 's3', 's4', 's5', 's6');
const color = fc.constantFrom('red', 'blue');
const someIp = fc.constantFrom(
  '10.0.0.0', '10.0.0.1', '10.0.0.5', '10.0.0.7', 'ff::1', '192.0.2.1', 'junk',
);

const serviceOptions: fc.Arbitrary<ServiceOptions> = fc.record({
  ns: fc.constantFrom('one', 'two'),
  at: fc.constantFrom(1, 2, 3, undefined),
  labels: color.map((value) => ({ color: value })),
  ips: fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    fc.array(someIp, { maxLength: 3 }).map((list) => list.join()),
  ),
  key: fc.constantFrom('', '', 'k', 'l'),
  cross: fc.constantFrom('', '*', 'one'),
  permit: fc.constantFrom('true', 'false', 'maybe'),
  class: fc.constantFrom('', '', 'io.cilium/l2-announcer', 'net.example/x', 'io.cilium/node'),
  type: fc.constantFrom(
    'LoadBalancer' as const, 'LoadBalancer' as const, 'LoadBalancer' as const, 'NodePort' as const,
  ),
  policy: fc.constantFrom(undefined, 'PreferDualStack' as const, 'RequireDualStack' as const),
  etp: fc.constantFrom('Cluster' as const, 'Local' as const),
  ports: fc.constantFrom('TCP/80', 'TCP/81', 'UDP/80', 'TCP/82,TCP/83'),
  selector: fc.constantFrom({}, { app: 'a' }, { app: 'b' }),
  deleting: fc.constantFrom(false, false, false, true),
});

const poolText = fc.constantFrom(
  '10.0.0.0/30', '10.0.0.0/29', '10.0.0.4/30', '10.0.0.0/30 10.0.0.2/31', '10.0.0.3-10.0.0.6 ff::/126',
  'ff::/127', '10.0.1.0/31 ff::2/127', '', 'junk/1', '10.0.0.9-10.0.0.1', '10.0.0.0/8 ff::/64',
);

const poolOptions: fc.Arbitrary<PoolOptions> = fc.record({
  at: fc.constantFrom(1, 2),
  disabled: fc.constantFrom(false, false, true),
  first: fc.constantFrom('Yes', 'No'),
}).chain((base) => fc.option(color, { nil: undefined }).map((value) => {
  return value === undefined ? base : { ...base, selector: equals({ color: value }) };
}));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('service' as const), name: names, options: serviceOptions }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop' as const), name: names }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('pool' as const), name: fc.constantFrom('p', 'q', 'r'), text: poolText, options: poolOptions }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dropPool' as const), name: fc.constantFrom('p', 'q', 'r') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tamper' as const), name: names, ingress: fc.array(someIp, { maxLength: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), name: names }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('node' as const), name: fc.constantFrom('n1', 'n2'), ip: fc.constantFrom('10.0.0.1', '192.0.2.1', 'ff::9'), out: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('settle' as const), seconds: fc.constantFrom(0.02, 0.06, 0.1, 0.3, 10) }) },
);

function take(c: Cluster, next: Step): void {
  const present = 'name' in next && c.names.includes(next.name);
  switch (next.kind) {
    case 'service': {
      if (!present) c.service(next.name, next.options);
      // Namespace and age are an object's identity.
      else c.edit(
        next.name,
        {
          ...next.options,
          ns: c.get(next.name).meta.namespace,
          at: c.get(next.name).meta.createdAtMs,
        },
      );
      return;
    }
    case 'drop':
      if (present) c.drop(next.name);
      return;
    case 'pool':
      c.pool(
        next.name,
        next.text,
        {
          ...next.options,
          at: c.tables.pools.get(next.name)?.meta.createdAtMs ?? next.options.at ?? 1,
        },
      );
      return;
    case 'dropPool':
      c.dropPool(next.name);
      return;
    case 'tamper':
      if (present) c.patchStatus(next.name, { ingress: next.ingress });
      return;
    case 'refuse':
      c.errors.set(next.name, ['conflict', 'retry']);
      return;
    case 'node': {
      const labels = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
      c.node(next.name, `InternalIP=${next.ip}`, next.out ? { labels } : {});
      return;
    }
    case 'settle':
      c.settle(next.seconds);
  }
}

/** What must hold of every quiet cluster, from the stored objects alone. */
function judge(t: ExecutionContext, c: Cluster): void {
  t.deepEqual(c.ipam.pending(), []);
  const holders = new Map<string, Service[]>();
  for (const name of c.names) {
    const service = c.get(name);
    const record = readRecord(service.conditions) ?? [];
    const shownIps = service.ingress.map((entry) => entry.ip);
    for (const { address, origin } of record) {
      t.true(shownIps.includes(ipOf(address)), `${name} shows what it records`);
      if (origin.kind === 'pool') holders.set(
        ipOf(address), [...holders.get(ipOf(address)) ?? [], service],
      );
    }
  }
  for (const [ip, services] of holders) {
    for (const [index, left] of services.entries()) {
      for (const right of services.slice(index + 1)) {
        const [one, two] = [left, right].map((service) => inputsOf(service, c.settings).sharing);
        t.is(
          sharingObstacle(one!, two!), undefined, `${ip} is shared by ${left.key} and ${right.key}`,
        );
      }
    }
  }
  const ledger = c.ipam.holders().map((row) => `${row.ip}=${row.services.toSorted().join()}`);
  const stored = [...holders].map(
    ([ip, services]) => `${ip}=${services.map((service) => service.key).toSorted().join()}`,
  );
  t.deepEqual(ledger.toSorted(), stored.toSorted());
  for (const pool of c.tables.pools.values()) {
    const [total, available, used] = c.counts(pool.meta.name).split('/').map(
      (text) => BigInt(text === 'undefined' ? 0 : text),
    );
    t.is(total, available! + used!);
  }
}

const settings: fc.Arbitrary<Partial<IpamSettings>> = fc.record({
  holdDown: fc.constantFrom(0, 0, 15_000_000),
  classlessOwner: fc.constantFrom('lbipam', 'lbipam', 'lbipam', 'nodeipam', 'none'),
  nodeIpam: fc.constantFrom(true, true, false),
  l2: fc.constantFrom(true, true, false),
  ipv6: fc.constantFrom(true, true, false),
});

const runs = { numRuns: 300, seed: 44, endOnFailure: false };

test('random histories leave no double holder, no lost address and exact counts', (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), settings, (steps, set) => {
    const c = new Cluster(set);
    c.latency = 1000 * (1 + (steps.length * 37) % 120);
    for (const next of steps) take(c, next);
    judgeThrowing(t, c.settle(200));
    // A status that another client wrote may show what we never gave.
    if (steps.some((next) => next.kind === 'tamper')) return;
    if (c.doubles.length > 0) throw new Error(c.doubles.join('\n'));
  }), runs);
  t.pass();
});

// An invalid pool is remembered by one process and unknown to the next, so it is made good.
test('a restart after any history writes and tells nothing', (t) => {
  fc.assert(fc.property(fc.array(step, { maxLength: 25 }), settings, (steps, set) => {
    const c = new Cluster(set);
    for (const next of steps) take(c, next);
    for (const pool of c.tables.pools.values()) {
      if (c.poolVerdict(pool.meta.name, 'Invalid') !== 'True') c.pool(
        pool.meta.name, '10.3.0.0/30',
      );
    }
    c.settle(200);
    c.restart();
    if (c.writes.length + c.events.length > 0) {
      throw new Error(JSON.stringify([c.writes, c.events], undefined, 1));
    }
    judgeThrowing(t, c);
  }), runs);
  t.pass();
});

test('the order of a batch decides nothing', (t) => {
  const batch = fc.array(
    step.filter((next) => ['pool', 'service'].includes(next.kind)), { maxLength: 12 },
  );
  const unique = batch.map(
    (steps) => [...new Map(steps.map((next) => ['name' in next ? next.name : '', next])).values()],
  );
  const shuffled = unique.chain(
    (steps) => fc.tuple(
      fc.constant(steps), fc.shuffledSubarray(steps, { minLength: steps.length }),
    ),
  );
  const histories = fc.array(step, { maxLength: 10 });
  fc.assert(fc.property(histories, shuffled, settings, (before, orders, set) => {
    const outcomes = orders.map((order) => {
      const c = new Cluster(set);
      for (const next of before) take(c, next);
      c.settle(20);
      c.forget();
      for (const next of order) take(c, next);
      c.settle(20);
      const writes = c.writes.map(
        (write) => `${write.kind} ${write.name} ${write.ingress?.join(' ')}`,
      );
      return [
        ...writes, ...c.events.map((event) => `${event.object.name} ${event.message}`),
      ].join('\n');
    });
    if (outcomes[0] !== outcomes[1]) throw new Error(outcomes.join('\n-- against --\n'));
  }), runs);
  t.pass();
});

test('only its own spec, its pools or its class take an address from a Service', (t) => {
  const histories = fc.array(step, { maxLength: 20 });
  fc.assert(fc.property(histories, names, serviceOptions, (steps, name, options) => {
    const c = new Cluster();
    for (const next of steps) take(c, next);
    c.settle(200);
    const before = new Map(c.names.map((other) => [other, c.ips(other)]));
    take(c, { kind: 'service', name, options });
    c.settle(200);
    for (const [other, ips] of before) {
      if (other === name || ips === '') continue;
      const lost = ips.split(' ').filter((ip) => !c.ips(other).split(' ').includes(ip));
      if (lost.length > 0) throw new Error(`${other} lost ${lost.join()}`);
    }
  }), runs);
  t.pass();
});

// fast-check shrinks what throws; a failed assertion of ava would only be counted.
function judgeThrowing(t: ExecutionContext, c: Cluster): void {
  const failures: string[] = [];
  const note = (passed: boolean, message: string): void => {
    if (!passed) failures.push(message);
  };
  const probe = {
    is: (left: unknown, right: unknown, message = '') => note(
      Object.is(left, right), `${String(left)} is ${String(right)} ${message}`,
    ),
    true: (value: unknown, message = '') => note(value === true, message),
    deepEqual: (left: unknown, right: unknown) => note(
      JSON.stringify(left) === JSON.stringify(right),
      `${JSON.stringify(left)} is ${JSON.stringify(right)}`,
    ),
  };
  judge({ ...t, ...probe } as unknown as ExecutionContext, c);
  if (failures.length > 0) throw new Error(failures.join('\n'));
}
