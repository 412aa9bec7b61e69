import test from 'ava';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { join } from 'node:path';
import { parse } from 'yaml';
import { definitionFiles } from '../../cli/manifests/files.ts';
import { parseIp, parsePrefix } from '../../lb/ip.ts';
import { addressKeywords, prefixKeywords } from '../../kube/schema/address.ts';
import { communities, peerAddress } from '../../kube/schema/bgp-common.ts';
import { definitionOf } from '../../kube/schema/crd.ts';
import { kindSchemas } from '../../kube/schema/kinds.ts';
import type { Keywords, Rule, Schema } from '../../kube/schema/schema.ts';

const root = join(import.meta.dirname, '..', '..');

test('the files of kind/crds are what the schemas give', (t) => {
  const files = definitionFiles();
  t.is(files.length, kindSchemas.length + 1);
  for (const { path, text } of files) t.is(readFileSync(join(root, path), 'utf8'), text, path);
});

test('a definition read as YAML 1.1, as kubectl does, is the definition', (t) => {
  for (const schema of kindSchemas) {
    const text = readFileSync(join(root, 'kind', 'crds', `${schema.plural}.yaml`), 'utf8');
    const plain: unknown = JSON.parse(JSON.stringify(definitionOf(schema)));
    t.deepEqual(parse(text, { version: '1.1' }), plain, schema.plural);
  }
});

test('v2 is stored and v2alpha1 served, but for the two kinds that stayed alpha', (t) => {
  const versions = kindSchemas.map((schema) => {
    const { spec } = JSON.parse(JSON.stringify(definitionOf(schema))) as any;
    const stored = spec.versions.filter((version: any) => version.storage);
    t.is(stored.length, 1);
    return `${spec.names.kind} ${stored[0].name}/${spec.versions.map((one: any) => one.name)}`;
  });
  t.deepEqual(versions.toSorted(), [
    'CiliumBGPAdvertisement v2/v2,v2alpha1',
    'CiliumBGPClusterConfig v2/v2,v2alpha1',
    'CiliumBGPNodeConfig v2/v2,v2alpha1',
    'CiliumBGPNodeConfigOverride v2/v2,v2alpha1',
    'CiliumBGPPeerConfig v2/v2,v2alpha1',
    'CiliumBGPPeeringPolicy v2alpha1/v2alpha1',
    'CiliumL2AnnouncementPolicy v2alpha1/v2alpha1',
    'CiliumLoadBalancerIPPool v2/v2,v2alpha1',
  ]);
});

// The CEL environment of Kubernetes 1.29 (k8s.io/apiserver, pkg/cel/environment): `ip`, `cidr` and
// `format` came later, and a function counts for new rules one minor after it came.
test('no rule needs more than Kubernetes 1.29 has', (t) => {
  const cel = kindSchemas.flatMap(({ spec, status }) => [spec, status])
    .flatMap((schema) => (schema === undefined ? [] : rulesOf(schema)))
    .flatMap((rule) => ('cel' in rule ? [rule.cel] : []));
  t.true(cel.length > 5);
  for (const text of cel) t.notRegex(text, /\b(?:isIP|ip|isCIDR|cidr|format|sets)\(/u);
});

function rulesOf(schema: Schema): Rule[] {
  const below = schema.type === 'object' ? Object.values(schema.properties)
    : schema.type === 'list' ? [schema.items] : schema.type === 'map' ? [schema.values] : [];
  return [...(schema.rules ?? []), ...below.flatMap(rulesOf)];
}

/** Keywords as a server judges them; Go's ParseIP reads what node:net does, but for zones. */
function satisfies(value: string, keywords: Keywords): boolean {
  const { anyOf, not, format, pattern, maxLength } = keywords;
  const plain = !value.includes('%');
  const formats = {
    // An IPv4-mapped text has dots and parses: go-openapi takes it for IPv4.
    ipv4: plain && (isIPv4(value) || (isIPv6(value) && value.includes('.'))),
    ipv6: plain && isIPv6(value),
    // Leading zeros are decimal there (k8s.io/utils/net, ParseCIDRSloppy).
    cidr: plain && isCidr(value.replaceAll(/(?<![0-9a-fA-F])0+(?=[0-9]+(?:[./]|$))/gu, '')),
  };
  return (anyOf === undefined || anyOf.some((one) => satisfies(value, one)))
    && (not === undefined || !satisfies(value, not))
    && (format === undefined || formats[format])
    && (pattern === undefined || new RegExp(pattern, 'u').test(value))
    && (maxLength === undefined || value.length <= maxLength);
}

function isCidr(value: string): boolean {
  const [address = '', bits = '', ...more] = value.split('/');
  if (more.length > 0 || !/^(?:0|[1-9][0-9]{0,2})$/u.test(bits)) return false;
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && Number(bits) <= 128);
}

const hextet = fc.constantFrom('0', '00', '0000', '1', 'ffff', 'FFFF', 'fe80', 'a0b', '12345', 'g');
const dotted = fc.constantFrom('192.0.2.1', '010.0.0.1', '255.255.255.255', '256.0.0.1', '1.2.3');
const piece = fc.oneof(hextet, hextet, fc.constant(''), dotted);
const texts = fc.oneof(
  fc.array(piece, { minLength: 1, maxLength: 9 }).map((parts) => parts.join(':')),
  fc.ipV4(), fc.ipV6(), dotted,
  fc.tuple(fc.ipV6(), fc.constantFrom('eth0', '')).map(([address, zone]) => `${address}%${zone}`),
);

test('keywords admit the addresses that the check admits', (t) => {
  fc.assert(fc.property(texts, (value) => {
    t.is(satisfies(value, { anyOf: addressKeywords }), parseIp(value).ok, value);
  }), { numRuns: 2_000 });
});

test('keywords admit the prefixes that the check admits', (t) => {
  const lengths = fc.constantFrom('0', '8', '32', '33', '64', '128', '129', '08', '', '-1');
  fc.assert(fc.property(texts, lengths, (address, bits) => {
    const value = `${address}/${bits}`;
    t.is(satisfies(value, prefixKeywords), parsePrefix(value).ok, value);
  }), { numRuns: 2_000 });
});

test('keywords admit a peer with a zone where its address is one', (t) => {
  const keywords = keywordsOf(peerAddress);
  fc.assert(fc.property(fc.ipV6(), (address) => {
    if (address.includes('.')) return;
    t.true(satisfies(`${address}%eth0`, keywords), address);
    t.false(satisfies(`${address}:1:2:3:4:5:6:7:8%eth0`, keywords), address);
  }));
  t.false(satisfies('192.0.2.1/32', keywords));
});

const community = test.macro({
  exec: (t, value: string, valid: boolean) => {
    const list = communities.properties['standard'];
    if (list?.type !== 'list' || list.items.type !== 'text') return t.fail();
    const { pattern = '', rules = [] } = list.items;
    t.is(rules.every(({ check }) => check(value)), valid);
    return t.is(satisfies(value, { pattern }) && satisfies(value, keywordsOf(list.items)), valid);
  },
  title: (_, value: string, valid) => `a community ${value} is ${valid ? 'admitted' : 'refused'}`,
});

test(community, '0', true);
test(community, '4294967295', true);
test(community, '4294967296', false);
test(community, '65535:65535', true);
test(community, '00001:0', true);
test(community, '65536:0', false);
test(community, '0:65536', false);
test(community, '0:70000', false);
test(community, '0:99999', false);

function keywordsOf({ rules = [] }: Schema): Keywords {
  const [rule] = rules;
  return rule !== undefined && 'keywords' in rule ? rule.keywords : {};
}
