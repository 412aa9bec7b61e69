import { parseIp, parsePrefix, familyOf } from '../../lb/ip.ts';
import { addressKeywords, ipv4Keywords, ipv6Text, prefixKeywords } from './address.ts';
import { labelSelector } from './common.ts';
import {
  boolean, integer, list, object, oneOf, text, type ObjectSchema, type TextSchema,
} from './schema.ts';

/** Autonomous system numbers of four bytes; 0 is valid only where "any" has a meaning. */
export const asn = integer(1, 4_294_967_295);
/** As `asn`, and 0 for any. */
export const asnOrAny = integer(0, 4_294_967_295);
/** A TCP port. */
export const portNumber = integer(1, 65_535);
/** The name of an instance or a peer, the key of its list. */
export const instanceName = text({ lengthMin: 1, lengthMax: 255 });

/** The two keys by which every BGP kind is found. */
export const bgpCategories: readonly string[] = ['cilium', 'ciliumbgp'];

/** IPv4, or IPv6 with an optional zone; no prefix length (bgp.md 2.1). */
export const peerAddress: TextSchema = text({
  rules: [{
    keywords: { anyOf: [...addressKeywords, { pattern: `^(${ipv6Text})%.*$` }] },
    message: 'must be an address, without prefix length',
    check: (value) => typeof value === 'string' && parseIp(withoutZone(value)).ok,
  }],
});

/** An address without zone and prefix length. */
export const plainAddress: TextSchema = text({
  rules: [{
    keywords: { anyOf: addressKeywords },
    message: 'must be an address',
    check: (value) => typeof value === 'string' && parseIp(value).ok,
  }],
});

/** A BGP identifier, written as an IPv4 address. */
export const routerId: TextSchema = text({
  rules: [{
    keywords: ipv4Keywords,
    message: 'must be an IPv4 address',
    check: (value) => typeof value === 'string' && isIpv4(value),
  }],
});

/** An address with the prefix length of one host, as the legacy policy writes neighbours. */
export const hostPrefix: TextSchema = text({
  rules: [{
    keywords: prefixKeywords,
    message: 'must be an address with prefix length, such as 10.0.0.1/32',
    check: (value) => typeof value === 'string' && parsePrefix(value).ok,
  }],
});

function withoutZone(text_: string): string {
  const percent = text_.indexOf('%');
  return percent < 0 ? text_ : text_.slice(0, percent);
}

function isIpv4(value: string): boolean {
  const parsed = parseIp(value);
  return parsed.ok && familyOf(parsed.value) === 'IPv4';
}

/** bgp.md 2.1 `autoDiscovery`. */
export const autoDiscovery: ObjectSchema = object(
  {
    mode: oneOf('DefaultGateway', 'Unnumbered'),
    defaultGateway: object(
      { addressFamily: oneOf('ipv4', 'ipv6') }, { required: ['addressFamily'] },
    ),
    unnumbered: object({ interface: text() }),
  },
  { required: ['mode'] },
);

/** The PeerConfig of a peer; group and kind are of v2alpha1. */
export const peerConfigRef: ObjectSchema = object(
  { name: text(), group: text(), kind: text() },
  { required: ['name'] },
);

const afis = ['ipv4', 'ipv6', 'l2vpn', 'ls', 'opaque'];
const safis = [
  'unicast', 'multicast', 'mpls_label', 'encapsulation', 'vpls', 'evpn', 'ls', 'sr_policy', 'mup',
  'mpls_vpn', 'mpls_vpn_multicast', 'route_target_constraints', 'flowspec_unicast', 'flowspec_vpn',
  'key_value',
];

/** `{afi, safi}`, enums as in Cilium; only the unicast families act. */
export const familyProperties = { afi: oneOf(...afis), safi: oneOf(...safis) };

const wellKnown = [
  'internet', 'planned-shut', 'accept-own', 'route-filter-translated-v4', 'route-filter-v4',
  'route-filter-translated-v6', 'route-filter-v6', 'llgr-stale', 'no-llgr', 'blackhole',
  'no-export', 'no-advertise', 'no-export-subconfed', 'no-peer',
];

/** bgp.md 2.3 `attributes.communities`. */
export const communities: ObjectSchema = object({
  standard: list(communityText(
    String.raw`^([0-9]|[1-9][0-9]{1,8}|[1-3][0-9]{9}|4[0-2][0-9]{8})$|^[0-9]{1,5}:[0-9]{1,5}$`,
    { parts: 2, plainMax: 4_294_967_295, max: 65_535 },
  )),
  wellKnown: list(oneOf(...wellKnown)),
  large: list(communityText(
    String.raw`^[0-9]{1,10}:[0-9]{1,10}:[0-9]{1,10}$`,
    { parts: 3, plainMax: undefined, max: 4_294_967_295 },
  )),
});

interface CommunityShape {
  readonly parts: 2 | 3;
  /** Largest single number, where one stands for the whole. */
  readonly plainMax: number | undefined;
  readonly max: number;
}

function communityText(pattern: string, shape: CommunityShape): TextSchema {
  const { plainMax, parts, max } = shape;
  const whole = Array.from({ length: parts }, () => atMost(max)).join(':');
  const bounded = plainMax === undefined ? whole : `${whole}|${atMost(plainMax)}`;
  return text({
    pattern,
    rules: [{
      keywords: { pattern: `^(${bounded})$` },
      message: `each part must be at most ${max}`,
      check: (value) => typeof value !== 'string' || fits(value, shape),
    }],
  });
}

// A number up to `max` in as many digits at most, leading zeros included. RE2 cannot compare.
function atMost(max: number): string {
  const digits = String(max);
  const smaller = digits.split('').flatMap((digit, index) => {
    const below = Number(digit) - 1;
    const rest = digits.length - index - 1;
    return below < 0 ? [] : [`${digits.slice(0, index)}[0-${below}][0-9]{${rest}}`];
  });
  return `(${[`[0-9]{1,${digits.length - 1}}`, ...smaller, digits].join('|')})`;
}

function fits(value: string, shape: CommunityShape): boolean {
  const parts = value.split(':');
  if (parts.length === 1 && shape.plainMax !== undefined) return Number(value) <= shape.plainMax;
  return parts.length === shape.parts && parts.every((part) => Number(part) <= shape.max);
}

/** RFC 4724 settings; `enabled` is required in the block. */
export const gracefulRestart: ObjectSchema = object(
  { enabled: boolean(), restartTimeSeconds: integer(1, 4095, { default: 120 }) },
  { required: ['enabled'] },
);

/** Seconds of the three timers with their defaults (bgp.md 2.2). */
export const timerProperties = {
  connectRetryTimeSeconds: integer(1, 2_147_483_647, { default: 120 }),
  holdTimeSeconds: integer(3, 65_535, { default: 90 }),
  keepAliveTimeSeconds: integer(1, 65_535, { default: 30 }),
};

/** keepalive ≤ hold, wherever both stand beside one another. */
export const keepaliveRule = {
  cel: 'self.?keepAliveTimeSeconds.orValue(30) <= self.?holdTimeSeconds.orValue(90)',
  message: 'keepAliveTimeSeconds can not be larger than holdTimeSeconds',
  check: (value: unknown): boolean => {
    const timers = value as { keepAliveTimeSeconds?: unknown; holdTimeSeconds?: unknown };
    const hold = timers.holdTimeSeconds ?? 90;
    const keepalive = timers.keepAliveTimeSeconds ?? 30;
    return typeof hold !== 'number' || typeof keepalive !== 'number' || keepalive <= hold;
  },
};

/** Which routes of an object are meant: by labels. */
export const routeSelector = labelSelector;
