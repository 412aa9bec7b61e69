import { parseIp, parsePrefix, familyOf } from '../../lb/ip.ts';
import { addressKeywords, prefixKeywords } from './address.ts';
import { ageColumn, conditions, currentVersions, looseLabelSelector } from './common.ts';
import {
  boolean, list, object, oneOf, text, type KindSchema, type Rule, type TextSchema,
} from './schema.ts';

// The longest address has 45 characters, its prefix length four. A server wants to know, to see
// that a rule about them ends in time.
const lengthMax = 64;

const prefixText: TextSchema = text({
  lengthMax,
  rules: [{
    keywords: { anyOf: [prefixKeywords, { maxLength: 0 }] },
    message: 'must be a prefix such as 192.0.2.0/24 or 2001:db8::/64',
    check: (value) => value === '' || (typeof value === 'string' && parsePrefix(value).ok),
  }],
});

const addressText: TextSchema = text({
  lengthMax,
  rules: [{
    keywords: { anyOf: [...addressKeywords, { maxLength: 0 }] },
    message: 'must be an address: no leading zeros, no zone, not IPv4-mapped',
    check: (value) => value === '' || (typeof value === 'string' && parseIp(value).ok),
  }],
});

interface Block {
  readonly cidr?: unknown;
  readonly start?: unknown;
  readonly stop?: unknown;
}

// Only what can never work is refused (lb-ipam.md 2.1). A reversed range stays the controller's to
// report, because CEL cannot compare IPv6 addresses by value.
const blockRules: readonly Rule[] = [
  {
    cel: "(has(self.cidr) && self.cidr != '') || (has(self.start) && self.start != '')",
    message: 'a block needs cidr or start',
    check: (value) => given(value as Block, 'cidr') || given(value as Block, 'start'),
  },
  {
    cel: "(has(self.cidr) && self.cidr != '') || !has(self.start) || !has(self.stop)"
      + " || self.start == '' || self.stop == ''"
      + " || self.start.contains(':') == self.stop.contains(':')",
    message: 'start and stop must be of one family',
    check: (value) => oneFamily(value as Block),
  },
];

function given(block: Block, field: keyof Block): boolean {
  return typeof block[field] === 'string' && block[field] !== '';
}

function oneFamily(block: Block): boolean {
  if (given(block, 'cidr')) return true;
  if (typeof block.start !== 'string' || typeof block.stop !== 'string') return true;
  const start = parseIp(block.start);
  const stop = parseIp(block.stop);
  return !start.ok || !stop.ok || familyOf(start.value) === familyOf(stop.value);
}

/** lb-ipam.md 2.1: an unknown selector operator is a condition, not a refusal. */
export const poolSchema: KindSchema = {
  group: 'cilium.io',
  kind: 'CiliumLoadBalancerIPPool',
  plural: 'ciliumloadbalancerippools',
  shortNames: ['ippools', 'ippool', 'lbippool', 'lbippools'],
  categories: ['cilium'],
  versions: currentVersions,
  columns: [
    { name: 'Disabled', type: 'string', jsonPath: '.spec.disabled' },
    {
      name: 'Conflicting',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="cilium.io/PoolConflict")].status',
    },
    {
      name: 'IPs Available',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="cilium.io/IPsAvailable")].message',
    },
    ageColumn,
  ],
  statusSubresource: true,
  specRequired: true,
  spec: object({
    blocks: list(
      object({ cidr: prefixText, start: addressText, stop: addressText }, { rules: blockRules }),
      // More would not fit into an object; a bound is what admits rules at all.
      { itemsMax: 65_536 },
    ),
    cidrs: list(object({ cidr: prefixText }), { deprecated: true }),
    allowFirstLastIPs: oneOf('Yes', 'No'),
    disabled: boolean({ default: false }),
    serviceSelector: looseLabelSelector,
  }),
  status: object({ conditions }),
};
