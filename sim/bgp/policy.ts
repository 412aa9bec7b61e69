import { familyOf, type Ip, type Prefix } from '../../lb/ip.ts';
import type { Path } from './locrib.ts';
import type { PathAttributes } from './message.ts';
import type { RouterBgpOptions } from './routeroptions.ts';

/** RFC 1997. */
const noExport = 0xffff_ff01;
const noAdvertise = 0xffff_ff02;

/** Whether a router takes a path into its tables. */
export function importable(
  { asn, profile, requirePolicy }: Pick<RouterBgpOptions, 'asn' | 'profile' | 'requirePolicy'>,
  prefix: Prefix,
  path: Path,
): boolean {
  if (requirePolicy && path.external) return false;
  if (path.attributes.asPath.some(({ asns }) => asns.includes(asn))) return false;
  // An IPv6 prefix by an IPv4 next hop came as a mapped address, which BIRD refuses.
  const mapped = familyOf(prefix) === 'IPv6' && familyOf(path.nextHop) === 'IPv4';
  return !(mapped && profile === 'bird');
}

export interface Towards {
  readonly address: Ip;
  readonly external: boolean;
  readonly confederate: boolean;
}

/** Whether a path is told on: not back, not across what its communities close (RFC 1997). */
export function exportable(path: Path, towards: Towards): boolean {
  const { communities } = path.attributes;
  if (path.peer === towards.address || communities.includes(noAdvertise)) return false;
  if (communities.includes(noExport) && towards.external && !towards.confederate) return false;
  return path.external || towards.external;
}

/** Attributes as they leave a router: its number in front, what is internal left out. */
export function exported(
  attributes: PathAttributes, asn: number, towards: { readonly external: boolean },
): PathAttributes {
  const { localPref, med: _med, ...rest } = attributes;
  if (!towards.external) return { ...rest, localPref: localPref ?? 100 };
  const [first, ...more] = attributes.asPath;
  const asPath = first?.kind === 'sequence'
    ? [{ kind: 'sequence' as const, asns: [asn, ...first.asns] }, ...more]
    : [{ kind: 'sequence' as const, asns: [asn] }, ...attributes.asPath];
  return { ...rest, asPath };
}
