import type { L2Policy, Pool, PoolBlock } from '../lb/model.ts';
import { ok } from '../lb/result.ts';
import { readConditions, readObject, readSelector, type Decoded } from './decode-meta.ts';
import type { KubeObject } from './port.ts';
import { excerpt, type Reader } from './reader.ts';

/** Compiles under no regular-expression syntax, so a list that holds it selects nothing. */
const unreadableExpression = '(';

/**
 * A CiliumLoadBalancerIPPool of either version. An unreadable block stays as an empty one, so that
 * block numbers in messages are those of the manifest and the pool is found invalid.
 */
export function decodePool(object: KubeObject): Decoded<Pool> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  const blocks = spec === undefined ? [] : spec.items('blocks', readBlock, noBlock);
  const cidrs = spec === undefined ? [] : spec.items('cidrs', readBlock, noBlock);
  return ok({
    kind: 'CiliumLoadBalancerIPPool',
    meta,
    blocks: [...blocks, ...cidrs.map(({ cidr }) => ({ cidr, start: undefined, stop: undefined }))],
    allowFirstLastIps: spec === undefined ? undefined : readOption(spec),
    disabled: spec !== undefined && readDisabled(spec),
    serviceSelector: readSelector(spec, 'serviceSelector'),
    conditions: readConditions(root.child('status')),
    faults,
  });
}

// A switch that cannot be read counts as thrown: a typing error must not open a closed pool.
function readDisabled(spec: Reader): boolean {
  return spec.flag('disabled') ?? spec.raw('disabled') !== undefined;
}

const noBlock: PoolBlock = { cidr: undefined, start: undefined, stop: undefined };

function readBlock(item: Reader): PoolBlock {
  return { cidr: item.text('cidr'), start: item.text('start'), stop: item.text('stop') };
}

// A bare `No` is a boolean in YAML. Its text is kept, so that the pool reports what was written.
function readOption(spec: Reader): string | undefined {
  const stored = spec.raw('allowFirstLastIPs');
  const text = spec.text('allowFirstLastIPs');
  return text ?? (stored === undefined ? undefined : excerpt(stored));
}

/** A CiliumL2AnnouncementPolicy of either version. */
export function decodeL2Policy(object: KubeObject): Decoded<L2Policy> {
  const parts = readObject(object, 'cluster');
  if (!parts.ok) return parts;
  const { meta, root, faults } = parts.value;
  const spec = root.child('spec');
  return ok({
    kind: 'CiliumL2AnnouncementPolicy',
    meta,
    nodeSelector: readSelector(spec, 'nodeSelector'),
    serviceSelector: readSelector(spec, 'serviceSelector'),
    interfaces: spec === undefined ? [] : readInterfaces(spec),
    externalIps: spec?.flag('externalIPs') ?? false,
    loadBalancerIps: spec?.flag('loadBalancerIPs') ?? false,
    conditions: readConditions(root.child('status')),
    faults,
  });
}

// Left out, an unreadable expression could leave an empty list, which means every device.
function readInterfaces(spec: Reader): readonly string[] {
  const texts = spec.texts('interfaces');
  const stored = spec.raw('interfaces');
  const whole = stored === undefined || (Array.isArray(stored) && stored.length === texts.length);
  return whole ? texts : [...texts, unreadableExpression];
}
