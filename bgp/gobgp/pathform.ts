import { familyOf, ip, parsePrefix, type Family, type Prefix } from '../../lb/ip.ts';
import { assert } from '../../lb/result.ts';
import type { LargeCommunity } from '../port.ts';
import { wrapped, type Dialect, type Kind } from './dialect.ts';
import {
  communitiesAttribute, largeAttribute, localPrefAttribute, nextHopAttribute, originAttribute, path,
  prefixNlri,
} from './messages.ts';
import { controlAsn } from './names.ts';
import { decode, type Fields, type Read, type Write } from './protobuf.ts';
import type { PathState } from './rib.ts';

/** RFC 4271 5.1.1. */
const originIgp = 0;
const originIncomplete = 2;

export function familyMessage(family: Family): { readonly afi: number; readonly safi: number } {
  return { afi: family === 'IPv4' ? 1 : 2, safi: 1 };
}

/** Undefined for any but the two unicast families. */
export function familyOfMessage(
  of: { readonly afi: number; readonly safi: number } | undefined,
): Family | undefined {
  if (of?.safi !== 1) return undefined;
  return of.afi === 1 ? 'IPv4' : of.afi === 2 ? 'IPv6' : undefined;
}

/**
 * A path as the daemon takes it. It names itself always by family, NLRI, ORIGIN and next hop, for
 * the daemon takes anything less without a word or refuses it without one (G22, G24).
 */
export function pathMessage(
  dialect: Dialect, prefix: Prefix, state: PathState,
): Write<typeof path> {
  const family = familyOf(prefix);
  const next = family === 'IPv4' ? '0.0.0.0' : '::';
  const attribute = <F extends Fields>(kind: Kind, fields: F, value: Write<F>): Uint8Array => (
    wrapped(dialect, { slot: 'attribute', kind, fields }, value)
  );
  const origin = state.origin === 'igp' ? originIgp : originIncomplete;
  const pattrs = [
    attribute('OriginAttribute', originAttribute, { origin }),
    attribute('NextHopAttribute', nextHopAttribute, { next_hop: next }),
  ];
  const { localPref, communities } = state;
  if (localPref !== undefined) {
    pattrs.push(attribute('LocalPrefAttribute', localPrefAttribute, { local_pref: localPref }));
  }
  if (communities.length > 0) {
    pattrs.push(attribute('CommunitiesAttribute', communitiesAttribute, { communities }));
  }
  const large = [...state.large, ...state.targets.map(
    ({ index, set }): LargeCommunity => [controlAsn, index, set],
  )];
  pattrs.push(attribute('LargeCommunitiesAttribute', largeAttribute, {
    communities: large.map(([global_admin, local_data1, local_data2]) => (
      { global_admin, local_data1, local_data2 }
    )),
  }));
  return { family: familyMessage(family), nlri: nlri(dialect, prefix), pattrs };
}

/** A path as the daemon removes it. */
export function withdrawMessage(dialect: Dialect, prefix: Prefix): Write<typeof path> {
  const bare: PathState = {
    origin: 'igp', communities: [], large: [], localPref: undefined, targets: [],
  };
  return { ...pathMessage(dialect, prefix, bare), is_withdraw: true };
}

function nlri(dialect: Dialect, prefix: Prefix): Uint8Array {
  const parsed = parsePrefix(prefix);
  // The daemon stores what is none (G23).
  assert(parsed.ok && parsed.value.prefix === prefix, `${prefix} is a canonical prefix`);
  const [address = ''] = prefix.split('/');
  return wrapped(dialect, { slot: 'nlri', kind: 'IPAddressPrefix', fields: prefixNlri }, {
    prefix_len: parsed.value.prefixBits, prefix: address,
  });
}

/** A path of the daemon's global table; undefined for one that the adapter could not have made. */
export function readPath(
  dialect: Dialect, message: Read<typeof path>,
): { readonly prefix: Prefix; readonly state: PathState } | undefined {
  const prefix = readPrefix(dialect, message.nlri);
  if (prefix === undefined) return undefined;
  let state: PathState = {
    origin: 'igp', communities: [], large: [], localPref: undefined, targets: [],
  };
  for (const one of message.pattrs) {
    const attribute = dialect.unwrap('attribute', one);
    if (attribute !== undefined) state = withAttribute(state, attribute);
  }
  return { prefix, state };
}

function readPrefix(dialect: Dialect, bytes: Uint8Array | undefined): Prefix | undefined {
  const unwrapped = bytes === undefined ? undefined : dialect.unwrap('nlri', bytes);
  if (unwrapped === undefined) return undefined;
  const { prefix, prefix_len: bits } = decode(prefixNlri, unwrapped.content);
  const parsed = parsePrefix(`${prefix}/${bits}`);
  return parsed.ok ? parsed.value.prefix : undefined;
}

function withAttribute(
  state: PathState, { kind, content }: { readonly kind: Kind; readonly content: Uint8Array },
): PathState {
  switch (kind) {
    case 'OriginAttribute': {
      const { origin } = decode(originAttribute, content);
      return { ...state, origin: origin === originIgp ? 'igp' : 'incomplete' };
    }
    case 'LocalPrefAttribute':
      return { ...state, localPref: decode(localPrefAttribute, content).local_pref };
    case 'CommunitiesAttribute':
      return { ...state, communities: decode(communitiesAttribute, content).communities };
    case 'LargeCommunitiesAttribute': {
      const all = decode(largeAttribute, content).communities;
      const ours = all.filter((of) => of.global_admin === controlAsn);
      return {
        ...state,
        large: all.filter((of) => of.global_admin !== controlAsn).map(
          (of): LargeCommunity => [of.global_admin, of.local_data1, of.local_data2],
        ),
        targets: ours.map((of) => ({ index: of.local_data1, set: of.local_data2 }))
          .toSorted((left, right) => left.index - right.index),
      };
    }
    case 'IPAddressPrefix':
    case 'NextHopAttribute':
    case 'GracefulRestartCapability':
    case 'ExtendedNexthopCapability':
      return state;
  }
}

/** `0.0.0.0` and what is no address are no answer. */
export function readIp(text: string): ReturnType<typeof ip> | undefined {
  const parsed = parsePrefix(`${text}/${text.includes(':') ? 128 : 32}`);
  if (!parsed.ok || text === '0.0.0.0' || text === '::') return undefined;
  return ip(text);
}
