import type { Labels } from '../lb/model.ts';
import { compileSelector, type LabelSelector, type Matcher } from '../lb/selector.ts';
import { compareText } from '../lb/table.ts';

/** What the reference checks read of each kind; everything else of an object does not matter. */
export interface BgpObjects {
  /** Undefined: the Nodes are not known, so nothing is said about them. */
  readonly nodes: readonly Labelled[] | undefined;
  readonly clusterConfigs: readonly ClusterConfig[];
  readonly peerConfigs: readonly PeerConfig[];
  readonly advertisements: readonly Advertisement[];
  readonly overrides: readonly Override[];
  readonly peeringPolicies: readonly PeeringPolicy[];
  readonly secrets: readonly Secret[];
  /** The one namespace whose Secrets are read (bgp.md 2.6). */
  readonly secretsNamespace: string;
}

export interface Labelled {
  readonly name: string;
  readonly labels: Labels;
}

export interface ClusterConfig {
  readonly name: string;
  readonly nodeSelector: LabelSelector | undefined;
  readonly instances: readonly Instance[];
}

export interface Instance {
  readonly name: string;
  readonly peers: readonly { readonly name: string; readonly peerConfig: string | undefined }[];
}

export interface PeerConfig {
  readonly name: string;
  readonly authSecret: string | undefined;
  /** One entry a family, in the order of the object. */
  readonly advertisements: readonly (LabelSelector | undefined)[];
}

export interface Advertisement extends Labelled {
  /** Selectors of the entries; undefined selects nothing (bgp.md 2.3). */
  readonly selectors: readonly (LabelSelector | undefined)[];
}

export interface Override {
  /** The name of its node. */
  readonly name: string;
  readonly instances: readonly { readonly name: string; readonly peers: readonly string[] }[];
}

export interface PeeringPolicy {
  readonly name: string;
  readonly nodeSelector: LabelSelector | undefined;
  /** `authSecretRef` of each neighbour, by router. */
  readonly authSecrets: readonly (readonly (string | undefined)[])[];
}

export interface Secret {
  readonly namespace: string;
  readonly name: string;
  readonly hasPassword: boolean;
}

/** One thing that the controller would say about these objects (bgp.md 8, interface.md 6). */
export interface ReferenceFinding {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly kind: string;
  readonly name: string;
  /** From the object's root. */
  readonly path: string;
  readonly message: string;
}

/**
 * References that lead nowhere and objects that nobody refers to, over one set of objects. Pure;
 * findings come by kind, name and place, whatever the order of the inputs.
 */
export function findBrokenReferences(objects: BgpObjects): ReferenceFinding[] {
  return [
    ...sorted(objects.clusterConfigs).flatMap((config) => clusterFindings(config, objects)),
    ...sorted(objects.peerConfigs).flatMap((config) => peerFindings(config, objects)),
    ...sorted(objects.advertisements).flatMap((each) => advertisementFindings(each, objects)),
    ...sorted(objects.overrides).flatMap((override) => overrideFindings(override, objects)),
    ...sorted(objects.peeringPolicies).flatMap((policy) => policyFindings(policy, objects)),
  ];
}

function clusterFindings(config: ClusterConfig, objects: BgpObjects): ReferenceFinding[] {
  const about = reporter('CiliumBGPClusterConfig', config.name);
  const known = new Set(objects.peerConfigs.map(({ name }) => name));
  const missing = config.instances.flatMap(({ peers }, instance) =>
    peers.flatMap(({ peerConfig }, peer) => {
      if (peerConfig === undefined || known.has(peerConfig)) return [];
      const path = `spec.bgpInstances[${instance}].peers[${peer}].peerConfigRef.name`;
      return [about('error', 'MissingPeerConfigs', path)(`no CiliumBGPPeerConfig ${peerConfig}`)];
    }),
  );
  return [...nodeFindings(config, objects, about), ...missing];
}

// Of several configurations that select a node the oldest has it; a folder has no ages, so there
// the smallest name stands for the owner (bgp.md 3).
function nodeFindings(
  config: ClusterConfig,
  objects: BgpObjects,
  about: Reporter,
): ReferenceFinding[] {
  const selects = compileSelector(config.nodeSelector);
  if (!selects.ok) {
    const path = `spec.nodeSelector.${selects.error.path}`;
    return [about('error', 'InvalidSelector', path)(selects.error.message)];
  }
  if (objects.nodes === undefined) return [];
  const nodes = objects.nodes.filter(({ labels }) => selects.value(labels));
  if (nodes.length === 0) {
    return [about('warning', 'NoMatchingNode', 'spec.nodeSelector')('selects no Node')];
  }
  const owners = sorted(objects.clusterConfigs).filter((other) => {
    const takes = compileSelector(other.nodeSelector);
    return compareText(other.name, config.name) < 0 && takes.ok &&
      nodes.some(({ labels }) => takes.value(labels));
  });
  if (owners.length === 0) return [];
  const names = owners.map(({ name }) => name).join(', ');
  const say = about('error', 'ConflictingClusterConfigs', 'spec.nodeSelector');
  return [say(`selects nodes that ${names} has already`)];
}

function peerFindings(config: PeerConfig, objects: BgpObjects): ReferenceFinding[] {
  const about = reporter('CiliumBGPPeerConfig', config.name);
  const unheard = config.advertisements.flatMap((selector, family) => {
    if (selector === undefined) return [];
    const path = `spec.families[${family}].advertisements`;
    const matches = compileSelector(selector);
    if (!matches.ok) {
      const { path: below, message } = matches.error;
      return [about('error', 'InvalidSelector', `${path}.${below}`)(message)];
    }
    if (objects.advertisements.some(({ labels }) => matches.value(labels))) return [];
    return [about('warning', 'NoAdvertisement', path)('selects no CiliumBGPAdvertisement')];
  });
  const used = objects.clusterConfigs.some(({ instances }) =>
    instances.some(({ peers }) => peers.some(({ peerConfig }) => peerConfig === config.name)));
  const idle = about('warning', 'UnusedPeerConfig', 'metadata.name');
  return [
    ...secretFindings(config.authSecret, objects, about)('spec.authSecretRef'),
    ...unheard,
    ...(used ? [] : [idle('no peer of a CiliumBGPClusterConfig refers to it')]),
  ];
}

function secretFindings(
  secret: string | undefined,
  { secrets, secretsNamespace }: BgpObjects,
  about: Reporter,
): (path: string) => ReferenceFinding[] {
  return (path) => {
    if (secret === undefined) return [];
    const found = secrets.find(
      ({ namespace, name }) => namespace === secretsNamespace && name === secret,
    );
    const say = about('error', 'MissingAuthSecret', path);
    if (found === undefined)
      return [say(`Secret ${secretsNamespace}/${secret} is not in the folder`)];
    if (found.hasPassword) return [];
    return [say(`Secret ${secretsNamespace}/${secret} has no key password of 1 to 80 bytes`)];
  };
}

function advertisementFindings(
  advertisement: Advertisement,
  objects: BgpObjects,
): ReferenceFinding[] {
  const about = reporter('CiliumBGPAdvertisement', advertisement.name);
  const invalid = advertisement.selectors.flatMap((selector, entry) => {
    const compiled = compileSelector(selector);
    if (compiled.ok) return [];
    const path = `spec.advertisements[${entry}].selector.${compiled.error.path}`;
    return [about('error', 'InvalidSelector', path)(compiled.error.message)];
  });
  const selected = objects.peerConfigs
    .flatMap(({ advertisements }) => advertisements)
    .filter((selector) => selector !== undefined)
    .map(matcherOf)
    .some((matches) => matches(advertisement.labels));
  const unheard = about('warning', 'UnusedAdvertisement', 'metadata.labels');
  return selected ? invalid : [...invalid, unheard('no CiliumBGPPeerConfig selects it')];
}

function overrideFindings(override: Override, objects: BgpObjects): ReferenceFinding[] {
  const about = reporter('CiliumBGPNodeConfigOverride', override.name);
  const node = objects.nodes?.find(({ name }) => name === override.name);
  if (objects.nodes !== undefined && node === undefined) {
    return [about('warning', 'UnknownOverride', 'metadata.name')(`no Node ${override.name}`)];
  }
  const configs = objects.clusterConfigs.filter(({ nodeSelector }) =>
    node === undefined || matcherOf(nodeSelector)(node.labels));
  const known = configs.flatMap(({ instances }) => instances);
  return override.instances.flatMap(({ name, peers }, index) => {
    const path = `spec.bgpInstances[${index}]`;
    const sameName = known.filter((instance) => instance.name === name);
    const say = (below: string) => about('warning', 'UnknownOverride', `${path}.${below}`);
    if (sameName.length === 0) return [say('name')(`this node has no instance ${name}`)];
    const names = new Set(sameName.flatMap((instance) => instance.peers.map((peer) => peer.name)));
    return peers.flatMap((peer, place) =>
      names.has(peer) ? [] : [say(`peers[${place}].name`)(`instance ${name} has no peer ${peer}`)]);
  });
}

function policyFindings(policy: PeeringPolicy, objects: BgpObjects): ReferenceFinding[] {
  const about = reporter('CiliumBGPPeeringPolicy', policy.name);
  const secrets = policy.authSecrets.flatMap((neighbours, router) =>
    neighbours.flatMap((secret, neighbour) => {
      const path = `spec.virtualRouters[${router}].neighbors[${neighbour}].authSecretRef`;
      return secretFindings(secret, objects, about)(path);
    }));
  const selects = compileSelector(policy.nodeSelector);
  if (!selects.ok) {
    const path = `spec.nodeSelector.${selects.error.path}`;
    return [about('error', 'InvalidSelector', path)(selects.error.message), ...secrets];
  }
  const nodes = (objects.nodes ?? []).filter(({ labels }) => selects.value(labels));
  if (objects.nodes !== undefined && nodes.length === 0) {
    const say = about('warning', 'NoMatchingNode', 'spec.nodeSelector');
    return [say('selects no Node'), ...secrets];
  }
  const lost = nodes.filter(({ labels }) =>
    objects.clusterConfigs.some(({ nodeSelector }) => matcherOf(nodeSelector)(labels)));
  if (lost.length === 0) return secrets;
  const names = lost.map(({ name }) => name).toSorted(compareText).join(', ');
  const say = about('warning', 'PolicyIgnored', 'spec.nodeSelector');
  return [
    say(`a CiliumBGPClusterConfig selects ${names}, which thereby ignores policies`),
    ...secrets,
  ];
}

type Reporter = (
  severity: ReferenceFinding['severity'],
  code: string,
  path: string,
) => (message: string) => ReferenceFinding;

function reporter(kind: string, name: string): Reporter {
  return (severity, code, path) => (message) => ({ severity, code, kind, name, path, message });
}

// A selector that does not compile is reported at its object; elsewhere it selects nothing.
function matcherOf(selector: LabelSelector | undefined): Matcher {
  const compiled = compileSelector(selector);
  return compiled.ok ? compiled.value : () => false;
}

function sorted<T extends { readonly name: string }>(objects: readonly T[]): T[] {
  return objects.toSorted((left, right) => compareText(left.name, right.name));
}
