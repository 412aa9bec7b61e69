import { readSelector } from '../../kube/decode-meta.ts';
import { Reader } from '../../kube/reader.ts';
import { compilePolicy } from '../../l2/policy.ts';
import { l2Class, selectorLabels } from '../../l2/selection.ts';
import type { Labels, Service } from '../../lb/model.ts';
import { compileSelector, type Matcher } from '../../lb/selector.ts';
import { findingAt, type Finding } from '../finding.ts';
import type { FolderModel } from '../foldermodel.ts';

const bgpClass = 'io.cilium/bgp-control-plane';

/** How a Service's address could be announced, by the objects of a folder. */
interface Announcers {
  readonly byL2: readonly Matcher[];
  readonly byBgp: readonly Matcher[];
}

/**
 * Services of type LoadBalancer whose address nobody would announce (interface.md 6, step 2). A
 * folder without any announcing object says nothing: they may live elsewhere.
 */
export function announcementFindings(model: FolderModel): Finding[] {
  const announcers = announcersOf(model);
  if (announcers.byL2.length === 0 && announcers.byBgp.length === 0) return [];
  return model.services.flatMap(({ value, place }) => {
    const code = value.type === 'LoadBalancer' ? obstacle(value, announcers) : undefined;
    if (code === undefined) return [];
    const what =
      code === 'NoPolicy' ? 'no CiliumL2AnnouncementPolicy' : 'no CiliumBGPAdvertisement';
    const message = `its address reaches nobody: ${what} of the folder selects it`;
    return [findingAt(place, { severity: 'warning', code, path: 'metadata.labels', message })];
  });
}

function obstacle(service: Service, { byL2, byBgp }: Announcers): string | undefined {
  const { loadBalancerClass } = service;
  const labels = selectorLabels(service);
  const l2 = loadBalancerClass === undefined || loadBalancerClass === l2Class;
  const bgp = loadBalancerClass === undefined || loadBalancerClass === bgpClass;
  if (!l2 && !bgp) return undefined;
  if (l2 && byL2.some((matches) => matches(labels))) return undefined;
  if (bgp && byBgp.some((matches) => matches(labels))) return undefined;
  return l2 && (!bgp || byL2.length > 0) ? 'NoPolicy' : 'NoAdvertisement';
}

function announcersOf(model: FolderModel): Announcers {
  const byL2 = model.policies.flatMap(({ value }) => {
    const compiled = compilePolicy(value);
    return compiled.ok && compiled.value.loadBalancerIps ? [compiled.value.matchesService] : [];
  });
  const specs = (kind: string): Reader[] => model.all
    .filter(({ object }) => object.kind === kind)
    .flatMap(({ object }) => Reader.of(object, []) ?? []);
  const heard = specs('CiliumBGPPeerConfig').flatMap((root) =>
    root.child('spec')?.items('families', (family) => matcher(family, 'advertisements')) ?? []);
  const advertised = specs('CiliumBGPAdvertisement')
    .filter((root) => heard.some((matches) => matches(labelsOf(root))))
    .flatMap((root) => root.child('spec')?.items('advertisements', serviceEntry) ?? []);
  const legacy = specs('CiliumBGPPeeringPolicy').flatMap(
    (root) =>
      root.child('spec')?.items('virtualRouters', (router) => matcher(router, 'serviceSelector')) ??
      [],
  );
  return { byL2, byBgp: [...advertised, ...legacy] };
}

function serviceEntry(entry: Reader): Matcher | undefined {
  const addresses = entry.child('service')?.texts('addresses') ?? [];
  return addresses.includes('LoadBalancerIP') ? matcher(entry, 'selector') : undefined;
}

// In BGP an absent selector selects nothing (bgp.md 2.3).
function matcher(parent: Reader, key: string): Matcher | undefined {
  const selector = readSelector(parent, key);
  const compiled = compileSelector(selector);
  return selector !== undefined && compiled.ok ? compiled.value : undefined;
}

function labelsOf(root: Reader): Labels {
  return root.child('metadata')?.labels('labels') ?? {};
}
