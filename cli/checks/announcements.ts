import { readSelector } from '../../kube/decode-meta.ts';
import { Reader } from '../../kube/reader.ts';
import { compilePolicy } from '../../l2/policy.ts';
import { l2Class, selectorLabels } from '../../l2/selection.ts';
import type { Labels, Service } from '../../lb/model.ts';
import { compileSelector, type Matcher } from '../../lb/selector.ts';
import { findingAt, type Finding } from '../finding.ts';
import { nameOf, type FolderModel } from '../foldermodel.ts';

const bgpClass = 'io.cilium/bgp-control-plane';

/** One object that would announce the addresses of the Services that it selects. */
interface Announcer {
  readonly name: string;
  readonly matches: Matcher;
}

/** How a Service's address could be announced, by the objects of a folder. */
interface Announcers {
  readonly byL2: readonly Announcer[];
  readonly byBgp: readonly Announcer[];
}

/** Who would announce a Service's addresses, or the code of why nobody would (step 2). */
export type Announcement =
  | { readonly kind: 'announced'; readonly by: readonly string[] }
  | { readonly kind: 'silent'; readonly code: string; readonly message: string }
  /** Its class belongs to neither L2 nor BGP. */
  | { readonly kind: 'foreign' };

/**
 * Services of type LoadBalancer whose address nobody would announce (interface.md 6, step 2). A
 * folder without any announcing object says nothing: they may live elsewhere.
 */
export function announcementFindings(model: FolderModel): Finding[] {
  const announcers = announcersOf(model);
  if (announcers.byL2.length === 0 && announcers.byBgp.length === 0) return [];
  return model.services.flatMap(({ value, place }) => {
    if (value.type !== 'LoadBalancer') return [];
    const announcement = announcementOf(value, announcers);
    if (announcement.kind !== 'silent') return [];
    const { code } = announcement;
    const message = `its address reaches nobody: ${announcement.message} of the folder selects it`;
    return [findingAt(place, { severity: 'warning', code, path: 'metadata.labels', message })];
  });
}

/** The announcing objects of a folder for one of its Services. */
export function announcementIn(model: FolderModel, service: Service): Announcement {
  return announcementOf(service, announcersOf(model));
}

function announcementOf(service: Service, { byL2, byBgp }: Announcers): Announcement {
  const { loadBalancerClass } = service;
  const labels = selectorLabels(service);
  const l2 = loadBalancerClass === undefined || loadBalancerClass === l2Class;
  const bgp = loadBalancerClass === undefined || loadBalancerClass === bgpClass;
  if (!l2 && !bgp) return { kind: 'foreign' };
  const candidates = [...(l2 ? byL2 : []), ...(bgp ? byBgp : [])];
  const by = candidates.filter(({ matches }) => matches(labels)).map(({ name }) => name);
  if (by.length > 0) return { kind: 'announced', by: [...new Set(by)] };
  // A folder without any BGP object is not asking for BGP.
  return l2 && (!bgp || byL2.length > 0 || byBgp.length === 0)
    ? { kind: 'silent', code: 'NoPolicy', message: 'no CiliumL2AnnouncementPolicy' }
    : { kind: 'silent', code: 'NoAdvertisement', message: 'no CiliumBGPAdvertisement' };
}

function announcersOf(model: FolderModel): Announcers {
  const byL2 = model.policies.flatMap(({ value }) => {
    const compiled = compilePolicy(value);
    if (!compiled.ok || !compiled.value.loadBalancerIps) return [];
    return [{ name: `l2 policy ${value.meta.name}`, matches: compiled.value.matchesService }];
  });
  const roots = (kind: string) => model.all
    .filter(({ object }) => object.kind === kind)
    .flatMap((place) => {
      const root = Reader.of(place.object, []);
      return root === undefined ? [] : [{ root, name: nameOf(place) }];
    });
  const heard = roots('CiliumBGPPeerConfig').flatMap(({ root }) =>
    root.child('spec')?.items('families', (family) => matcher(family, 'advertisements')) ?? []);
  const advertised = roots('CiliumBGPAdvertisement')
    .filter(({ root }) => heard.some((matches) => matches(labelsOf(root))))
    .flatMap(({ root, name }) =>
      (root.child('spec')?.items('advertisements', serviceEntry) ?? [])
        .map((matches) => ({ name: `bgp advertisement ${name}`, matches })));
  const legacy = roots('CiliumBGPPeeringPolicy').flatMap(({ root, name }) => {
    const select = (router: Reader): Matcher | undefined => matcher(router, 'serviceSelector');
    return (root.child('spec')?.items('virtualRouters', select) ?? [])
      .map((matches) => ({ name: `bgp policy ${name}`, matches }));
  });
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
