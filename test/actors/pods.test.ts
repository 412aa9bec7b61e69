import test from 'ava';
import fc from 'fast-check';
import { parsePrefix, prefixContains } from '../../lb/ip.ts';
import { resources } from '../../kube/resource.ts';
import { PodRange } from '../../sim/kube/podrange.ts';
import { barePod, Cluster, readyCondition, s, service } from './cluster.ts';

test('a pod goes Pending, Running after 2 s, Ready after 1 s more, with an address per family', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo'));
  cluster.actors.start();
  const seen: string[] = [];
  cluster.api.subscribe(resources.pods, (event) => {
    const pod = (event as any).object;
    const { phase, podIPs = [] } = pod.status;
    seen.push(`${cluster.world.now / s} ${phase} ${readyCondition(pod)} ${podIPs.length}`);
  });
  cluster.run(10);
  t.deepEqual(seen, ['0 Pending false 0', '2 Running false 2', '3 Running true 2']);
  t.deepEqual(cluster.pod('solo').status.podIPs, [{ ip: '10.244.0.2' }, { ip: 'fd00:10::2' }]);
  t.is(cluster.pod('solo').status.hostIP, '192.168.10.1');
  t.is(cluster.machine('n1').names(), 'solo');
});

test('a pod on the host network has the addresses of its node', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('host', { hostNetwork: true }));
  cluster.actors.start();
  cluster.settle();
  t.deepEqual(cluster.pod('host').status.podIPs, [{ ip: '192.168.10.1' }]);
});

test('start and ready delays are drawn within half of their value, the same for the same seed', (t) => {
  const times = (seed: bigint): number[] => {
    const cluster = new Cluster({ nodes: 'n1', seed, timings: { reaction: 0 } });
    cluster.apply(barePod('solo'));
    cluster.actors.start();
    const seen: number[] = [];
    cluster.api.subscribe(resources.pods, (event) => {
      const pod = (event as any).object;
      if (pod.status.phase === 'Running') seen.push(cluster.world.now);
    });
    cluster.run(10);
    return seen;
  };
  for (const seed of [1n, 2n, 3n, 4n]) {
    const [running = 0, ready = 0] = times(seed);
    t.true(running >= s && running <= 3 * s, `running at ${running}`);
    t.true(
      ready - running >= s / 2 && ready - running <= 1.5 * s, `ready after ${ready - running}`,
    );
    t.deepEqual(times(seed), [running, ready]);
  }
  t.notDeepEqual(times(1n), times(2n));
});

test('a deleted pod terminates and serves for its grace, then is gone', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo', { terminationGracePeriodSeconds: 20 }, { app: 'app' }), service());
  cluster.actors.start();
  cluster.run(10);
  t.is(cluster.endpoints(), '10.244.0.2 rs-');
  cluster.remove(resources.pods, 'solo');
  cluster.run(0.001);
  t.is(cluster.endpoints(), '10.244.0.2 -st');
  t.is(cluster.machine('n1').names(), 'solo');
  cluster.run(19.9);
  t.is(cluster.endpoints(), '10.244.0.2 -st');
  cluster.run(0.2);
  t.is(cluster.endpoints(), '');
  t.is(cluster.machine('n1').names(), '');
  t.deepEqual(cluster.pods(), []);
});

test('the default grace is 30 s, a forced deletion has none, a pod that never ran goes at once', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(
    barePod('slow'), barePod('forced'), barePod('nowhere', { nodeSelector: { gpu: 'yes' } }),
  );
  cluster.actors.start();
  cluster.run(10);
  cluster.remove(resources.pods, 'slow');
  cluster.remove(resources.pods, 'forced', 0);
  cluster.remove(resources.pods, 'nowhere');
  cluster.run(29.9);
  t.is(cluster.roster(), '~slow@n1');
  t.is(cluster.machine('n1').names(), 'slow');
  cluster.run(0.2);
  t.is(cluster.roster(), '');
});

test('a crashed container restarts at once the first time, then after 10 s and 20 s', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo', {}, { app: 'app' }), service());
  cluster.actors.start();
  cluster.settle();
  const downFor = (): number => {
    t.is(cluster.actors.crashPods({ name: 'solo' }), 1);
    const since = cluster.world.now;
    do cluster.run(0.1); while (!readyCondition(cluster.pod('solo')));
    return Math.round((cluster.world.now - since) / s);
  };
  t.deepEqual([downFor(), downFor(), downFor()], [3, 13, 23]);
  t.is(cluster.pod('solo').status.containerStatuses[0].restartCount, 3);
});

test('a crashed pod that must not restart is Failed, and no endpoint', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo', { restartPolicy: 'Never' }, { app: 'app' }), service());
  cluster.actors.start();
  cluster.settle();
  cluster.actors.crashPods({ labels: { matchLabels: { app: 'app' }, matchExpressions: [] } });
  cluster.run(1);
  t.is(cluster.pod('solo').status.phase, 'Failed');
  t.is(cluster.endpoints(), '');
});

test('a flap toggles readiness every period until it is healed', (t) => {
  const cluster = new Cluster({ nodes: 'n1' });
  cluster.apply(barePod('solo', {}, { app: 'app' }), service());
  cluster.actors.start();
  cluster.settle();
  const flap = cluster.actors.flap({ namespace: 'web' }, 2 * s);
  const seen = Array.from({ length: 4 }, () => {
    cluster.run(0.5);
    const state = cluster.endpoints().slice(-3);
    cluster.run(1.5);
    return state;
  });
  t.deepEqual(seen, ['---', 'rs-', '---', 'rs-']);
  cluster.run(0.5);
  flap.cancel();
  cluster.run(20);
  t.is(cluster.endpoints().slice(-3), 'rs-');
  t.is(cluster.pod('solo').status.containerStatuses[0].restartCount, 0);
});

test('pods of a Node without a range are Pending until it has one', (t) => {
  const cluster = new Cluster({ nodes: 'n1', clusterCidrs: [] });
  cluster.apply(barePod('solo'));
  cluster.actors.start();
  cluster.run(20);
  t.is(cluster.pod('solo').status.phase, 'Pending');
  cluster.edit(resources.nodes, 'n1', { podCIDR: '10.9.0.0/24', podCIDRs: ['10.9.0.0/24'] });
  cluster.settle();
  t.is(cluster.pod('solo').status.podIP, '10.9.0.2');
});

function range(cidr: string): any {
  const parsed = parsePrefix(cidr);
  return parsed.ok ? parsed.value : undefined;
}

test('a pod range gives each address once, never the first two nor the broadcast address', (t) => {
  const ranges = [range('10.1.2.0/29'), range('fd00::/64')];
  const pool = new PodRange();
  const given = Array.from({ length: 6 }, () => pool.take(ranges));
  t.deepEqual(given.slice(0, 5).map((ips) => ips?.[0]),
    ['10.1.2.2', '10.1.2.3', '10.1.2.4', '10.1.2.5', '10.1.2.6']);
  t.is(given[5], undefined);
  pool.release(given[1] ?? []);
  t.deepEqual(pool.take([ranges[0]]), [given[1]![0]]);
});

test('any order of taking and releasing keeps the addresses of living pods apart', (t) => {
  fc.assert(fc.property(fc.array(fc.integer({ min: -20, max: 30 }), { maxLength: 80 }), (steps) => {
    const cidr = range('10.1.2.0/27');
    const pool = new PodRange();
    const living: any[] = [];
    for (const step of steps) {
      if (step < 0) pool.release(living.splice(-step % Math.max(1, living.length), 1).flat());
      else {
        const ips = pool.take([cidr]);
        t.is(ips === undefined, living.length === 29);
        if (ips !== undefined) living.push(ips);
      }
    }
    t.is(new Set(living.flat()).size, living.length);
    t.true(living.flat().every((ip) => prefixContains(cidr, ip)));
  }), { seed: 11, numRuns: 100 });
});

test('addresses of pods that went while their node was off are given again', (t) => {
  const cluster = new Cluster({ nodes: 'n1', clusterCidrs: ['10.9.0.0/24'] });
  const many = Array.from({ length: 200 }, (_, index) => barePod(`p${index}`));
  const ref = { resource: resources.nodes, namespace: '', name: 'n1' };
  cluster.api.handle(
    { verb: 'patch', subresource: 'status', ref, body: { status: { allocatable: { pods: '500' } } } },
    'test',
  );
  cluster.apply(...many);
  cluster.actors.start();
  cluster.settle();
  cluster.machine('n1').off();
  for (const pod of many) cluster.remove(resources.pods, pod.metadata?.name ?? '', 0);
  cluster.machine('n1').on();
  cluster.actors.wake('n1');
  cluster.apply(...many);
  cluster.settle();
  t.is(cluster.pods().filter(readyCondition).length, 200);
});
