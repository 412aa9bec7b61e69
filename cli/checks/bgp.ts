import { findBrokenReferences, type BgpObjects } from '../../bgp/references.ts';
import { readSelector } from '../../kube/decode-meta.ts';
import { Reader } from '../../kube/reader.ts';
import { findingAt, type Finding } from '../finding.ts';
import { nameOf, type FolderModel } from '../foldermodel.ts';
import type { ManifestObject } from '../../kube/manifest.ts';

/** References between the BGP objects of a folder (bgp.md 8). */
export function bgpFindings(model: FolderModel): Finding[] {
  return findBrokenReferences(bgpObjects(model)).flatMap((finding) => {
    const { kind, name } = finding;
    const place = model.all.find((each) => each.object.kind === kind && nameOf(each) === name);
    const { severity, code, path, message } = finding;
    return place === undefined ? [] : [findingAt(place, { severity, code, path, message })];
  });
}

// The schema checks name fields of the wrong type; here they count as unset.
function bgpObjects(model: FolderModel): BgpObjects {
  const of = <T>(kind: string, make: (root: Reader, place: ManifestObject) => T): T[] =>
    model.all.filter(({ object }) => object.kind === kind).flatMap((place) => {
      const root = Reader.of(place.object, []);
      return root === undefined ? [] : [make(root, place)];
    });
  return {
    nodes: model.nodes.length === 0
      ? undefined
      : model.nodes.map(({ value }) => ({ name: value.meta.name, labels: value.meta.labels })),
    clusterConfigs: of('CiliumBGPClusterConfig', (root, place) => ({
      name: nameOf(place),
      nodeSelector: readSelector(root.child('spec'), 'nodeSelector'),
      instances: root.child('spec')?.items('bgpInstances', readInstance) ?? [],
    })),
    peerConfigs: of('CiliumBGPPeerConfig', (root, place) => ({
      name: nameOf(place),
      authSecret: root.child('spec')?.text('authSecretRef'),
      advertisements: root.child('spec')?.items('families', (family) => ({
        selector: readSelector(family, 'advertisements'),
      })).map(({ selector }) => selector) ?? [],
    })),
    advertisements: of('CiliumBGPAdvertisement', (root, place) => ({
      name: nameOf(place),
      labels: root.child('metadata')?.labels('labels') ?? {},
      selectors: root.child('spec')?.items('advertisements', (entry) => ({
        selector: readSelector(entry, 'selector'),
      })).map(({ selector }) => selector) ?? [],
    })),
    overrides: of('CiliumBGPNodeConfigOverride', (root, place) => ({
      name: nameOf(place),
      instances: root.child('spec')?.items('bgpInstances', (instance) => ({
        name: instance.text('name') ?? '',
        peers: instance.items('peers', (peer) => peer.text('name')),
      })) ?? [],
    })),
    peeringPolicies: of('CiliumBGPPeeringPolicy', (root, place) => ({
      name: nameOf(place),
      nodeSelector: readSelector(root.child('spec'), 'nodeSelector'),
      authSecrets: root.child('spec')?.items('virtualRouters', (router) =>
        router.items('neighbors', (neighbour) => ({ secret: neighbour.text('authSecretRef') }))
          .map(({ secret }) => secret)) ?? [],
    })),
    secrets: of('Secret', readSecret),
    secretsNamespace: 'kube-system',
  };
}

function readInstance(instance: Reader): BgpObjects['clusterConfigs'][number]['instances'][number] {
  return {
    name: instance.text('name') ?? '',
    peers: instance.items('peers', (peer) => ({
      name: peer.text('name') ?? '',
      peerConfig: peer.child('peerConfigRef')?.text('name'),
    })),
  };
}

// Only whether there is a password is looked at, never the password.
function readSecret(root: Reader, { object }: ManifestObject): BgpObjects['secrets'][number] {
  const plain = root.child('stringData')?.text('password');
  const encoded = root.child('data')?.text('password');
  const byteCount = plain === undefined
    ? Buffer.from(encoded ?? '', 'base64').length
    : Buffer.byteLength(plain);
  return {
    namespace: object.metadata?.namespace ?? 'default',
    name: object.metadata?.name ?? '',
    hasPassword: byteCount >= 1 && byteCount <= 80,
  };
}
