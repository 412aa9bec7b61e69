import test from 'ava';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import type { HandleOptions } from '../../sim/api/server.ts';
import { create, manifest, objectIn, ref, rig, verdict, type Rig } from './fixture.ts';

const { deployments, disruptionBudgets, pods, replicaSets, services } = resources;

const template = {
  metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a' }] },
};
const selector = { matchLabels: { app: 'web' } };

function withDeployment(replicas = 2): Rig {
  const at = rig();
  create(at, deployments, 'web', { spec: { replicas, selector, template } });
  return at;
}

test('A17: the scale of a workload shows its replicas and selector, and is written', (t) => {
  const at = withDeployment();
  const target = ref(deployments, 'web');
  const scale = objectIn(at.ask({ verb: 'get-scale', ref: target }));
  t.is(scale.kind, 'Scale');
  t.deepEqual(
    [scale['spec'], scale['status']], [{ replicas: 2 }, { replicas: 0, selector: 'app=web' }],
  );
  const more = objectIn(
    at.ask({ verb: 'patch-scale', ref: target, body: { spec: { replicas: 5 } } }),
  );
  t.is(more['spec'].replicas, 5);
  const stored = at.server.get(deployments, 'default', 'web') as KubeObject & Record<string, any>;
  t.deepEqual([stored['spec'].replicas, stored.metadata?.['generation']], [5, 2]);
  const operations = [{ op: 'replace', path: '/spec/replicas', value: 1 }];
  const less = at.ask({ verb: 'json-patch-scale', ref: target, body: operations });
  t.is(objectIn(less)['spec'].replicas, 1);
});

const scales = test.macro({
  exec: (t, body: object, expected: RegExp) => {
    const request = {
      verb: 'write-scale', ref: ref(deployments, 'web'), body: body as never,
    } as const;
    t.regex(verdict(withDeployment().ask(request)), expected);
  },
  title: (_, body) => `A17: PUT of the scale ${JSON.stringify(body)}`,
});

test(scales, { spec: { replicas: 0 } }, /^ok$/);
test(scales, { spec: { replicas: -1 } }, /^invalid: Scale\.autoscaling "web" is invalid: spec\.replicas: Invalid value: -1: must be greater than or equal to 0$/);
test(scales, { spec: { replicas: 'two' } }, /^invalid: .*spec\.replicas: Invalid value: "two"/);
test(scales, { spec: { replicas: 1 }, metadata: { resourceVersion: '1' } }, /^conflict/);

test('A17: what has no scale answers 404', (t) => {
  t.regex(
    verdict(withDeployment().ask({ verb: 'get-scale', ref: ref(services, 'web') })),
    /^gone: the server could not find/,
  );
  t.regex(
    verdict(withDeployment().ask({ verb: 'get-scale', ref: ref(deployments, 'none') })),
    /^gone: deployments\.apps "none" not found/,
  );
});

const owner = [
  { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-1', uid: 'set', controller: true },
];

/** Pods p0, p1, … of one set that wants so many; `-` is one that is not ready. */
function withPods(budget: object, readiness: string, wanted = readiness.length): Rig {
  const at = rig();
  const set = objectIn(
    create(at, replicaSets, 'web-1', { spec: { replicas: wanted, selector, template } }),
  );
  at.server.load(readiness.split('').map((ready, index) => manifest(pods, `p${index}`, {
    metadata: {
      labels: { app: 'web' },
      ownerReferences: owner.map((one) => ({ ...one, uid: set.metadata?.uid })),
    },
    spec: { nodeName: 'n1', containers: [] },
    status: {
      phase: 'Running', conditions: [{ type: 'Ready', status: ready === '+' ? 'True' : 'False' }],
    },
  })));
  create(at, disruptionBudgets, 'b', { spec: { selector, ...budget } });
  return at;
}

const evict = (at: Rig, name: string) => at.ask({ verb: 'evict', ref: ref(pods, name), body: {} });
const budgetRefuses =
  /^throttled: Cannot evict pod as it would violate the pod's disruption budget\.$/;

const evicts = test.macro({
  exec: (t, budget: object, readiness: string, granted: number, wanted?: number) => {
    const at = withPods(budget, readiness, wanted);
    const answers = readiness.split('').map((_, index) => verdict(evict(at, `p${index}`)));
    t.is(answers.filter((answer) => answer === 'ok').length, granted, answers.join('; '));
    for (const answer of answers.filter((one) => one !== 'ok')) t.regex(answer, budgetRefuses);
  },
  title: (_, budget, readiness, granted) =>
    `A17: of ${readiness} the budget ${JSON.stringify(budget)} lets ${granted} go`,
});

test(evicts, { minAvailable: 2 }, '+++', 1);
test(evicts, { minAvailable: 3 }, '+++', 0);
test(evicts, { minAvailable: 0 }, '+++', 3);
test(evicts, { minAvailable: '50%' }, '+++', 1);
test(evicts, { maxUnavailable: 1 }, '+++', 1);
test(evicts, { maxUnavailable: '40%' }, '+++', 2);
// One of the wanted pods is missing already.
test(evicts, { maxUnavailable: 1 }, '++', 0, 3);
// A pod that is not ready may go while the others hold the budget.
test(evicts, { minAvailable: 2 }, '-++', 1);
test(evicts, { minAvailable: 2 }, '--+', 0);
test(evicts, { minAvailable: 2, unhealthyPodEvictionPolicy: 'AlwaysAllow' }, '--+', 2);

test('A17: a refused eviction names the budget; one of a pod that is not there is 404', (t) => {
  const at = withPods({ minAvailable: 3 }, '+++');
  const answer = at.server.handle({ verb: 'evict', ref: ref(pods, 'p0'), body: {} }, 'tester');
  t.deepEqual(
    answer.ok ? [] : answer.error.causes,
    [{
      path: '',
      reason: 'DisruptionBudget',
      message: 'The disruption budget b needs 3 healthy pods and has 3 currently',
    }],
  );
  t.regex(verdict(evict(at, 'none')), /^gone: pods "none" not found/);
});

test('A17: a pod under two budgets cannot be evicted at all', (t) => {
  const at = withPods({ minAvailable: 0 }, '+');
  create(at, disruptionBudgets, 'c', { spec: { selector, minAvailable: 0 } });
  t.regex(verdict(evict(at, 'p0')), /^server: This pod has more than one PodDisruptionBudget/);
});

test('A17: preconditions and grace of an eviction are those of its deletion', (t) => {
  const at = withPods({ minAvailable: 0 }, '++');
  const asks = (body: object) => at.ask(
    { verb: 'evict', ref: ref(pods, 'p0'), body: body as KubeObject },
  );
  t.regex(verdict(asks({ deleteOptions: { preconditions: { uid: 'other' } } })), /^conflict/);
  t.is(objectIn(asks({ deleteOptions: { gracePeriodSeconds: 5 } }))['status'], 'Success');
  t.is(at.server.get(pods, 'default', 'p0')?.metadata?.['deletionGracePeriodSeconds'], 5);
});

const budgets = test.macro({
  exec: (t, spec: object, expected: RegExp) => {
    t.regex(
      verdict(create(rig(), disruptionBudgets, 'b', { spec: { selector, ...spec } })), expected,
    );
  },
  title: (_, spec) => `A10: a disruption budget ${JSON.stringify(spec)}`,
});

test(budgets, { minAvailable: 1 }, /^ok$/);
test(budgets, { maxUnavailable: '25%' }, /^ok$/);
test(budgets, { minAvailable: 1, maxUnavailable: 1 }, /minAvailable and maxUnavailable cannot be both set/);
test(budgets, { minAvailable: -1 }, /spec\.minAvailable: Invalid value: -1: must be greater than or equal to 0/);
test(budgets, { maxUnavailable: 'many' }, /spec\.maxUnavailable: Invalid value: "many": a valid percent string/);

const owns = test.macro({
  exec: (t, propagation: HandleOptions['propagation'], finalizers: string) => {
    const at = withDeployment();
    const target = ref(deployments, 'web');
    at.server.handle({ verb: 'delete', ref: target }, 'tester', propagation && { propagation });
    const left = at.server.get(deployments, 'default', 'web');
    t.is(left === undefined ? 'gone' : String(left.metadata?.['finalizers']), finalizers);
  },
  title: (_, propagation) => `A13: a deletion with propagation ${propagation ?? 'unset'}`,
});

test(owns, 'Background', 'gone');
test(owns, undefined, 'gone');
test(owns, 'Foreground', 'foregroundDeletion');
test(owns, 'Orphan', 'orphan');

test('A13: a later deletion may change its mind about what is owned', (t) => {
  const at = withDeployment();
  const target = ref(deployments, 'web');
  at.server.handle({ verb: 'delete', ref: target }, 'tester', { propagation: 'Foreground' });
  at.server.handle({ verb: 'delete', ref: target }, 'tester', { propagation: 'Orphan' });
  t.deepEqual(at.server.get(deployments, 'default', 'web')?.metadata?.['finalizers'], ['orphan']);
  at.server.handle({ verb: 'delete', ref: target }, 'tester', { propagation: 'Background' });
  t.is(at.server.get(deployments, 'default', 'web'), undefined);
});
