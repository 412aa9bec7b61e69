import { resources, type Resource } from '../kube/resource.ts';
import type { Rule } from '../l2/candidacy.ts';
import { publishedAddresses } from '../l2/selection.ts';
import { wantedFamilies } from '../lb/ipam/request.ts';
import type { EndpointSlice, Service, ServiceKey } from '../lb/model.ts';
import type { Cluster } from '../sim/cluster/cluster.ts';
import { wantedAddresses } from '../sim/cluster/desired.ts';
import { allocationStep, announcementStep, backendStep } from './explainlinks.ts';
import type { Evidence, ExplainStep, ServiceExplanation } from './explanation.ts';
import { storedModel, type FolderModel, type Row } from './foldermodel.ts';

/**
 * The chain of one Service in a cluster that has come to rest: allocation and selectors judged on
 * the stored objects, the other links read from what its nodes do. Undefined: no such Service.
 */
export function explainRun(cluster: Cluster, key: ServiceKey): ServiceExplanation | undefined {
  const model = simulatedModel(cluster);
  const row = model.services.find(({ value }) => value.key === key);
  if (row === undefined) return undefined;
  const { value: service } = row;
  const families = service.type === 'LoadBalancer'
    ? wantedFamilies(service, cluster.settings.ipam)
    : service.ipFamilies;
  return {
    service: key,
    type: service.type,
    families,
    ports: service.ports.map(({ port, protocol }) => `${port}/${protocol}`),
    source: 'manifests',
    basis: basisOf(cluster),
    steps: [
      allocationStep(model, service),
      ownerStep(cluster, model, service),
      frontendStep(service),
      endpointStep(model, row),
      datapathStep(cluster, service),
    ],
  };
}

/** Every object of the simulated API. */
export function simulatedModel(cluster: Cluster): FolderModel {
  const kinds: readonly Resource[] = Object.values(resources);
  return storedModel(kinds.flatMap((resource) => cluster.store.list(resource)));
}

function basisOf({ prepared, machines, world }: Cluster): string {
  const nodes = machines.names().length;
  const assumed = prepared.assumedNodes ? `${nodes} nodes assumed` : `${nodes} nodes`;
  const seconds = (world.now / 1_000_000).toFixed(1);
  return `${prepared.objects.length} objects, ${assumed}, ${seconds}s virtual`;
}

// Routers are not simulated here, so an announcement by BGP alone rests on its selectors.
function ownerStep(cluster: Cluster, model: FolderModel, service: Service): ExplainStep {
  const selected = announcementStep(model, service);
  if (selected.state === 'fail' || service.type !== 'LoadBalancer') return selected;
  const { step } = selected;
  const own = publishedAddresses(service).map(({ ip }) => ip);
  const wanted = wantedAddresses(cluster).filter(({ ip }) => own.includes(ip));
  const silent = wanted.filter(({ ip }) => cluster.ownersOf(ip).length === 0);
  const [first] = silent;
  if (first === undefined) {
    const owners = wanted.map(({ ip }) => `${ip} by ${cluster.ownersOf(ip).join(', ')}`);
    const message = [selected.message, ...owners].join('; ');
    return { step, state: 'ok', message, evidence: [] };
  }
  const { candidates, failures } = first.election;
  const evidence = [...failures]
    .map(([object, rule]): Evidence => ({ object, code: rule, message: rules[rule] }))
    .toSorted((left, right) => (left.object < right.object ? -1 : 1));
  const none = candidates.length === 0;
  return {
    step,
    state: 'fail',
    reason: none ? 'L2NoCandidate' : 'NoHolder',
    message: none ? `no node may announce ${first.ip}` : `no node answers for ${first.ip} yet`,
    evidence,
    next: none ? 'make one of these rules hold on a node' : 'fairlead sim run with a longer wait',
  };
}

/** What each rule of candidacy asks for (l2.md 4). */
const rules: Readonly<Record<Rule, string>> = {
  C1: 'a policy must select the node and name one of its interfaces',
  C2: 'the session of its agent must be live',
  C3: 'one of these interfaces must be a link with carrier',
  C4: 'the Node must exist, with its network available and not out of service',
  C6: 'externalTrafficPolicy Local needs a usable endpoint on the node',
  C7: 'the Node must not carry node.kubernetes.io/exclude-from-external-load-balancers',
  C8: 'the session must not have declined the address',
  C9: 'the agent must serve the address and must not be leaving',
};

/** Step 3: what nodes serve for the Service, by its own fields. */
export function frontendStep(service: Service): ExplainStep {
  const step = 'frontends';
  const proxied = service.ingress.find(({ ipMode }) => ipMode === 'Proxy');
  if (proxied !== undefined) {
    const message = `${proxied.ip ?? 'an entry'} has ipMode Proxy, which no node serves`;
    return {
      step, state: 'fail', reason: 'IpModeProxy', message, evidence: [],
      next: 'ask the controller that wrote the entry',
    };
  }
  const fronts = frontsOf(service);
  if (fronts.length > 0) return { step, state: 'ok', message: fronts.join(', '), evidence: [] };
  return {
    step, state: 'fail', reason: 'NotProxied', message: 'it has no address or no port to serve',
    evidence: [], next: 'give it a port and a cluster address',
  };
}

/** Address and port of everything that a node serves for a Service, as the kernel view shows it. */
function frontsOf(service: Service): string[] {
  const loadBalancer = service.type === 'LoadBalancer' ? publishedAddresses(service) : [];
  const clusterIps = service.clusterIps.filter((ip) => ip !== 'None' && ip !== '');
  const addresses = [...clusterIps, ...loadBalancer.map(({ ip }) => ip)];
  const nodePorts = service.type === 'NodePort' || service.type === 'LoadBalancer';
  return service.ports.flatMap(({ port, nodePort, protocol }) => [
    ...addresses.map((ip) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}/${protocol}`),
    ...(nodePorts && nodePort > 0 ? [`*:${nodePort}/${protocol}`] : []),
  ]);
}

/** Step 4: the endpoints of the Service. */
export function endpointStep(model: FolderModel, row: Row<Service>): ExplainStep {
  const labels = backendStep(model, row);
  if (labels.state === 'fail') return labels;
  const { step } = labels;
  const slices = model.slices.map(({ value }) => value)
    .filter(({ service }) => service === row.value.key);
  const endpoints = slices.flatMap(({ endpoints: listed, ports }) =>
    listed.map((endpoint) => ({ ...endpoint, port: ports[0]?.port })));
  const ready = endpoints.filter((endpoint) => endpoint.ready !== false);
  const evidence = endpoints.map((endpoint): Evidence => ({
    object: `${endpoint.addresses[0] ?? '?'}:${endpoint.port ?? '?'}`,
    code: stateOf(endpoint),
    message: endpoint.nodeName === undefined ? 'on no known node' : `on ${endpoint.nodeName}`,
  }));
  if (ready.length > 0) {
    return { step, state: 'ok', message: `${ready.length} of ${endpoints.length} ready`, evidence };
  }
  const none = endpoints.length === 0;
  return {
    step,
    state: 'fail',
    reason: none ? 'NoEndpointSlice' : 'NoReadyEndpoint',
    message: none ? 'no pod is selected' : 'no endpoint is ready',
    evidence,
    next: 'look at the pods that spec.selector selects',
  };
}

function stateOf(endpoint: EndpointSlice['endpoints'][number]): string {
  if (endpoint.terminating === true) return 'terminating';
  return endpoint.ready === false ? 'unready' : 'active';
}

function datapathStep(cluster: Cluster, service: Service): ExplainStep {
  const step = 'datapath';
  const fronts = frontsOf(service);
  const nodes = cluster.machines.names();
  const evidence = nodes.flatMap((node) => {
    const served = new Set(cluster.frontends(node));
    return fronts.filter((front) => !served.has(front))
      .map((front): Evidence => ({ object: node, code: 'EntryMissing', message: front }));
  });
  if (evidence.length === 0) {
    const message = `${fronts.length} frontends on each of ${nodes.length} nodes`;
    return { step, state: 'ok', message, evidence };
  }
  return {
    step,
    state: 'fail',
    reason: 'EntryMissing',
    message: `${evidence.length} of ${fronts.length * nodes.length} entries are missing`,
    evidence,
    next: 'report it: the agents say that they are done',
  };
}
