import test from 'ava';
import { agentMetrics, controllerMetrics, type Metric } from '../../cli/daemon/metriclist.ts';
import { profileObjects } from '../../cli/manifests/profile.ts';

const built = profileObjects('monitoring', []);
const objects = (built.ok ? built.value : []) as any[];
const find = (kind: string, name: string): any => (
  objects.find((object) => object.kind === kind && object.metadata.name === name)
);
const alerts: any[] = find('PrometheusRule', 'fairlead').spec.groups[0].rules;
const dashboard = JSON.parse(find('ConfigMap', 'fairlead-dashboard').data['fairlead.json']);
const expressions: string[] = [
  ...alerts.map(({ expr }) => expr),
  ...dashboard.panels.flatMap((panel: any) => panel.targets.map((target: any) => target.expr)),
];

const served = new Map<string, Metric>(
  [...agentMetrics, ...controllerMetrics]
    .map((metric) => [`${metric.prefix ?? 'fairlead_'}${metric.name}`, metric]),
);
// Of the target, and of histograms.
const always = ['instance', 'job', 'namespace', 'pod', 'container', 'node', 'le'];
const foreign = ['up'];

test('there are eight alerts, each with a severity, a summary and a next command', (t) => {
  t.deepEqual(alerts.map(({ alert }) => alert), [
    'AddressWithoutAnnouncer', 'L2Conflict', 'BGPSessionDown', 'PoolNearlyFull', 'MapNearlyFull',
    'DatapathNotSynced', 'ConfigRejected', 'AgentDown',
  ]);
  for (const { alert, labels, annotations } of alerts) {
    t.true(['warning', 'critical'].includes(labels.severity), alert);
    t.regex(annotations.summary, /\w/u, alert);
    t.regex(annotations.next, /^fairlead /u, alert);
  }
});

test('alerts and panels name metrics that are served, by labels that they have', (t) => {
  t.is(expressions.length, alerts.length + dashboard.panels.length);
  for (const expression of expressions) {
    const names = expression.match(/\b(?:fairlead|cilium)_\w+|\bup\b/gu) ?? [];
    t.true(names.length > 0, expression);
    const metrics = names.filter((name) => !foreign.includes(name)).map((name) => {
      const metric = served.get(name.replace(/_bucket$/u, ''));
      t.truthy(metric, name);
      t.is(name.endsWith('_bucket'), metric?.type === 'histogram', name);
      return metric;
    });
    const labels = [...expression.matchAll(/(?:\bby|\bon) \(([^)]*)\)|([a-z_]+)=~?"/gu)]
      .flatMap(([, list, one = '']) => list?.split(', ') ?? [one]);
    const known = new Set([...always, ...metrics.flatMap((metric) => metric?.labels ?? [])]);
    t.deepEqual(labels.filter((label) => !known.has(label)), [], expression);
    // What is a counter is asked for its increase.
    for (const metric of metrics.filter((one) => one?.type === 'counter')) {
      t.regex(expression, new RegExp(`(?:rate|increase)\\(fairlead_${metric?.name}\\[`, 'u'));
    }
  }
});

test('every pod of ours has the port that is scraped', (t) => {
  const { selector, podMetricsEndpoints: [endpoint] } = find('PodMonitor', 'fairlead').spec;
  for (const [kind, name] of [['DaemonSet', 'agent'], ['Deployment', 'controller']] as const) {
    const { metadata, spec } = find(kind, `fairlead-${name}`).spec.template;
    t.like(metadata.labels, selector.matchLabels);
    const ports = spec.containers[0].ports.map((port: any) => port.name);
    t.true(ports.includes(endpoint.port), name);
  }
});
