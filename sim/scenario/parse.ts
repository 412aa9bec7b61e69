import type { Fault, Labels } from '../../lb/model.ts';
import type { Micros } from '../../lb/ports.ts';
import { parseIp, parsePrefix, type Ip } from '../../lb/ip.ts';
import { err, ok, type Result } from '../../lb/result.ts';
import { Reader } from './reader.ts';
import { validTarget } from '../cluster/traffic.ts';
import type { NeighbourSettings } from '../net/neighbour-rules.ts';
import type { SwitchOptions } from '../net/switch.ts';
import { readRouterBgp } from './parse-bgp.ts';
import { readSteps } from './parse-steps.ts';
import type {
  Bound,
  ClusterSpec,
  Expect,
  HostSpec,
  LinkSpec,
  NetworkSpec,
  NodeSpec,
  ProbeMeasure,
  Scenario,
  SegmentSpec,
  Severity,
  TrafficSpec,
  WritesMeasure,
} from './spec.ts';

const second = 1_000_000;

/**
 * A scenario file (simulator.md 7.1) as decoded YAML to its typed form. Every wrong value and
 * unknown field is a fault with its path; a file with faults is refused whole.
 */
export function parseScenario(document: unknown): Result<Scenario, readonly Fault[]> {
  const faults: Fault[] = [];
  const top = new Reader(document, '', faults);
  const version = top.text('apiVersion');
  if (version !== 'sim.fairlead.dev/v1alpha1')
    top.fault('apiVersion', 'expected sim.fairlead.dev/v1alpha1');
  if (top.text('kind') !== 'Scenario') top.fault('kind', 'expected Scenario');
  const metadata = top.child('metadata');
  const name = metadata.text('name') ?? 'scenario';
  metadata.finish();
  const scenario = readSpec(name, top.child('spec'));
  top.finish();
  return faults.length === 0 ? ok(scenario) : err(faults);
}

function readSpec(name: string, spec: Reader): Scenario {
  const scenario: Scenario = {
    name,
    cluster: readCluster(spec.child('cluster')),
    network: spec.has('network') ? readNetwork(spec.child('network')) : undefined,
    manifests: spec.texts('manifests'),
    traffic: spec.readers('traffic').map(readTraffic),
    steps: readSteps(spec.readers('steps')),
    expect: readExpect(spec.child('expect')),
  };
  // `sim fuzz` reads this part; here it only must be a known field.
  spec.raw('fuzz');
  spec.finish();
  return scenario;
}

export function defaultCluster(): ClusterSpec {
  return readCluster(new Reader({}, '', []));
}

function readCluster(cluster: Reader): ClusterSpec {
  const kubernetes = cluster.text('kubernetes') ?? '1.32';
  if (!/^1\.\d{2}$/u.test(kubernetes))
    cluster.fault('kubernetes', 'expected a minor version such as "1.32"');
  const settings = cluster.child('settings');
  const read = Object.fromEntries(settings.names().map((key) => [key, settings.raw(key)]));
  const nodes = Array.isArray(cluster.raw('nodes'))
    ? cluster.readers('nodes').map(readNode)
    : readNodeCount(cluster.child('nodes'));
  if ((cluster.count('apiServers') ?? 1) !== 1) {
    cluster.fault('apiServers', 'the simulator runs one API server');
  }
  if ((cluster.text('cni') ?? 'routes') !== 'routes') {
    cluster.fault('cni', 'pod ranges are reached by plain routes: expected routes');
  }
  const ranges = (field: 'serviceCidrs' | 'podCidrs') =>
    (cluster.has(field) ? { [field]: readPrefixes(cluster, field) } : {});
  const more = { ...ranges('serviceCidrs'), ...ranges('podCidrs') };
  const builds = cluster.has('builds') ? { builds: readLabels(cluster.child('builds')) } : {};
  cluster.finish();
  return { kubernetes, nodes, settings: read, ...builds, ...more };
}

function readPrefixes(reader: Reader, field: string): string[] {
  const prefixes = reader.texts(field);
  for (const [index, prefix] of prefixes.entries()) {
    if (!parsePrefix(prefix).ok) reader.fault(`${field}[${index}]`, `${prefix} is no prefix`);
  }
  return prefixes;
}

function readNode(node: Reader): NodeSpec {
  const labels = readLabels(node.child('labels'));
  const zone = node.text('zone');
  const read: NodeSpec = {
    name: node.text('name') ?? 'node',
    labels: zone === undefined ? labels : { ...labels, 'topology.kubernetes.io/zone': zone },
    controlPlane: node.flag('controlPlane') ?? false,
  };
  if (!node.has('name')) node.fault('name', 'is required');
  node.finish();
  return read;
}

function readLabels(labels: Reader): Labels {
  return Object.fromEntries(labels.names().map((key) => [key, labels.text(key) ?? '']));
}

function readNodeCount(nodes: Reader): NodeSpec[] {
  const count = nodes.count('count') ?? 3;
  if (count > 1000) nodes.fault('count', 'expected at most 1000');
  const prefix = nodes.text('prefix') ?? 'node-';
  const controlPlane = new Set(nodes.texts('controlPlane'));
  nodes.finish();
  return Array.from({ length: Math.min(count, 1000) }, (_, index) => {
    const name = `${prefix}${index + 1}`;
    return { name, labels: {}, controlPlane: controlPlane.has(name) };
  });
}

function readNetwork(network: Reader): NetworkSpec {
  const read: NetworkSpec = {
    segments: network.readers('segments').map(readSegment),
    hosts: network.readers('hosts').map(readHost),
    links: network.readers('links').map(readLink),
  };
  network.finish();
  return read;
}

function readSegment(segment: Reader): SegmentSpec {
  const toggles = segment.child('switch');
  const read: SegmentSpec = {
    name: segment.text('name') ?? 'lan',
    subnets: segment.texts('subnets'),
    attach: segment.texts('attach'),
    switch: readSwitch(toggles),
  };
  toggles.finish();
  segment.finish();
  return read;
}

function readHost(host: Reader): HostSpec {
  const neighbour = host.child('neighbour');
  const read: HostSpec = {
    name: host.text('name') ?? 'host',
    kind: host.oneOf('kind', ['client', 'host', 'router']) ?? 'host',
    neighbour: readNeighbour(neighbour),
    gateway: host.text('gateway'),
    onLink: host.readers('onLink').map((entry) => {
      const taken = { segment: entry.text('segment') ?? '', prefix: entry.text('prefix') ?? '' };
      entry.finish();
      return taken;
    }),
    ...(host.has('addresses') ? { addresses: readAddresses(host) } : {}),
    ...(host.has('bgp') ? { bgp: readRouterBgp(host.child('bgp')) } : {}),
  };
  if (read.bgp !== undefined && read.kind !== 'router') host.fault('bgp', 'only a router has it');
  neighbour.finish();
  host.finish();
  return read;
}

function readAddresses(host: Reader): Ip[] {
  return host.texts('addresses').flatMap((text, index) => {
    const parsed = parseIp(text);
    if (!parsed.ok) host.fault(`addresses[${index}]`, `${text} is no address`);
    return parsed.ok ? [parsed.value] : [];
  });
}

// Options that are absent keep the defaults of the switch and of the neighbour cache.
function readSwitch(toggles: Reader): SwitchOptions {
  const macAgeing = toggles.duration('macAgeing');
  return {
    ...(macAgeing === undefined ? {} : { macAgeing }),
    arpSuppression: toggles.flag('arpSuppression') ?? false,
    portSecurity: toggles.flag('portSecurity') ?? false,
    multicastSnooping: toggles.flag('multicastSnooping') ?? false,
  };
}

function readNeighbour(neighbour: Reader): Partial<NeighbourSettings> {
  const timeout = neighbour.duration('timeout');
  const arpAccept = neighbour.count('arpAccept') ?? 0;
  if (arpAccept > 2) neighbour.fault('arpAccept', 'expected 0, 1 or 2');
  return {
    profile: neighbour.oneOf('profile', ['linux', 'sticky', 'long', 'strict']) ?? 'linux',
    arpAccept: arpAccept === 1 || arpAccept === 2 ? arpAccept : 0,
    dropGratuitous: neighbour.flag('dropGratuitous') ?? false,
    ...(timeout === undefined ? {} : { timeout }),
  };
}

function readLink(link: Reader): LinkSpec {
  const read: LinkSpec = {
    name: link.text('name') ?? '',
    delay: link.duration('delay'),
    delayMean: link.duration('delayMean'),
    loss: link.ratio('loss'),
  };
  link.finish();
  return read;
}

function readTraffic(traffic: Reader): TrafficSpec {
  const read: TrafficSpec = {
    name: traffic.text('name') ?? 'probe',
    from: traffic.text('from') ?? '',
    to: traffic.text('to') ?? '',
    protocol: traffic.oneOf('protocol', ['TCP', 'UDP']),
    every: traffic.duration('every') ?? second,
    flows: traffic.count('flows') ?? 0,
    family: traffic.oneOf('family', ['IPv4', 'IPv6']),
  };
  for (const field of ['name', 'from', 'to']) {
    if (!traffic.has(field)) traffic.fault(field, 'is required');
  }
  if (read.to !== '' && !validTarget(read.to)) {
    traffic.fault('to', 'expected svc/NAMESPACE/NAME:PORT, or an address with a port');
  }
  traffic.finish();
  return read;
}

/** The oracles that can be named, with the milestone's set (simulator.md 9). */
export const oracleNames = [
  'one-owner',
  'no-double-assignment',
  'in-pool',
  'sticky-address',
  'local-means-local',
  'truthful-status',
  'converged',
  'no-crash',
] as const;

function readExpect(expect: Reader): Expect {
  const always = expect.texts('always');
  for (const [index, name] of always.entries()) {
    if (!oracleNames.some((known) => known === name)) {
      expect.fault(
        `always[${index}]`,
        `unknown oracle ${name}; known are ${oracleNames.join(', ')}`,
      );
    }
  }
  const oracles = expect.child('oracles');
  const severities = Object.fromEntries(
    oracles.names().map((name): [string, Severity] => {
      if (!oracleNames.some((known) => known === name)) oracles.fault(name, 'unknown oracle');
      return [name, oracles.oneOf(name, ['off', 'warn', 'fail']) ?? 'fail'];
    }),
  );
  const read: Expect = {
    always,
    // Named among the oracles it means the usual bound.
    convergedWithin:
      readEventually(expect) ?? (always.includes('converged') ? 120 * second : undefined),
    measures: expect.readers('measure').flatMap(readMeasure),
    sometimes: expect.texts('sometimes'),
    never: expect.texts('never'),
    oracles: severities,
    grace: expect.duration('grace') ?? 0,
  };
  expect.finish();
  return read;
}

function readEventually(expect: Reader): Micros | undefined {
  let within: Micros | undefined;
  for (const entry of expect.readers('eventually')) {
    const converged = entry.child('converged');
    within = converged.duration('within') ?? 120 * second;
    converged.finish();
    entry.finish();
  }
  return within;
}

function readMeasure(measure: Reader): (ProbeMeasure | WritesMeasure)[] {
  if (measure.has('apiWrites')) {
    const writes = measure.child('apiWrites');
    const perMinute = writes.child('perMinute');
    const perMinuteMax = perMinute.count('max') ?? 0;
    perMinute.finish();
    writes.finish();
    measure.finish();
    return [{ kind: 'apiWrites', perMinuteMax }];
  }
  const outage = measure.child('outage');
  const flows = measure.child('brokenFlows');
  const recovery = measure.child('recovery');
  const read: ProbeMeasure = {
    kind: 'probe',
    probe: measure.text('probe') ?? '',
    outageMax: outage.duration('max'),
    outageMin: outage.duration('min'),
    outageTotal: outage.duration('total'),
    recoveryMax: recovery.duration('max'),
    brokenFlowsMax: readBound(flows),
  };
  if (!measure.has('probe')) measure.fault('probe', 'is required');
  for (const part of [outage, recovery, flows, measure]) part.finish();
  return [read];
}

function readBound(flows: Reader): Bound | undefined {
  const max = flows.raw('max');
  if (max === undefined) return undefined;
  const call = typeof max === 'string' ? /^flowsOn\(([^)]+)\)$/u.exec(max) : null;
  if (call?.[1] !== undefined) return { kind: 'flowsOn', node: call[1] };
  return { kind: 'count', count: flows.count('max') ?? 0 };
}
