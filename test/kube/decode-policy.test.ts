import test from 'ava';
import { compileSelector } from '../../lb/selector.ts';
import { decode, reads, whole } from './decoding.ts';

// Pools

const block = { cidr: undefined, start: undefined, stop: undefined };
test(reads, 'pool', {}, {
  blocks: [], allowFirstLastIps: undefined, disabled: false, serviceSelector: undefined,
});
test(reads, 'pool', { spec: { blocks: [{ cidr: '10.0.10.0/24' }, { start: 'a', stop: 'b' }] } },
  { blocks: [{ ...block, cidr: '10.0.10.0/24' }, { ...block, start: 'a', stop: 'b' }] });
// lb-ipam 20: the historical field stands after the blocks.
test(reads, 'pool', { spec: { cidrs: [{ cidr: 'b', start: 'x' }], blocks: [{ cidr: 'a' }] } },
  { blocks: [{ ...block, cidr: 'a' }, { ...block, cidr: 'b' }] });
test(reads, 'pool', { spec: { allowFirstLastIPs: 'No', disabled: true } },
  { allowFirstLastIps: 'No', disabled: true });
test(reads, 'pool', { spec: { serviceSelector: {} } },
  { serviceSelector: { matchLabels: {}, matchExpressions: [] } });
// An unreadable block keeps its place, so that block 2 in a message is block 2 of the manifest.
test(reads, 'pool', { spec: { blocks: ['10.0.0.0/24', { cidr: 4 }, { cidr: 'c' }] } },
  { blocks: [block, block, { ...block, cidr: 'c' }] }, [
    'spec.blocks[0]: expected an object, got "10.0.0.0/24"',
    'spec.blocks[1].cidr: expected text, got 4',
  ]);
test(reads, 'pool', { spec: { blocks: { cidr: 'a' } } }, { blocks: [block] }, [
  'spec.blocks: expected a list, got an object',
]);
// A bare No in YAML is a boolean.
test(reads, 'pool', { spec: { allowFirstLastIPs: false } }, { allowFirstLastIps: 'false' }, [
  'spec.allowFirstLastIPs: expected text, got false',
]);
test(reads, 'pool', { spec: { disabled: 'false' } }, { disabled: true }, [
  'spec.disabled: expected true or false, got "false"',
]);

// L2 policies

test(reads, 'l2Policy', {}, {
  nodeSelector: undefined, serviceSelector: undefined, interfaces: [], externalIps: false,
  loadBalancerIps: false,
});
test(reads, 'l2Policy', {
  spec: {
    interfaces: ['^eth'], externalIPs: true, loadBalancerIPs: true,
    nodeSelector: { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] },
  },
}, {
  interfaces: ['^eth'], externalIps: true, loadBalancerIps: true,
  nodeSelector: {
    matchLabels: {}, matchExpressions: [{ key: 'a', operator: 'DoesNotExist', values: [] }],
  },
});
// Left out, it would leave an empty list, which means every device.
test(reads, 'l2Policy', { spec: { interfaces: [0] } }, { interfaces: ['('] }, [
  'spec.interfaces[0]: expected text, got 0',
]);
test(reads, 'l2Policy', { spec: { interfaces: 'eth0' } }, { interfaces: ['('] }, [
  'spec.interfaces: expected a list, got "eth0"',
]);

/** Half a selector would select more than was meant, so it must not compile. */
const selectsNothing = test.macro({
  exec: (t, selector: unknown) => {
    const fields = { spec: { serviceSelector: selector } };
    const { row, faults } = decode('l2Policy', whole('l2Policy', fields));
    t.true(faults.length > 0);
    t.false(compileSelector(row?.['serviceSelector'] as Parameters<typeof compileSelector>[0]).ok);
  },
  title: (_, selector) => `selector ${JSON.stringify(selector)} does not compile`,
});
test(selectsNothing, 'app=web');
test(selectsNothing, []);
test(selectsNothing, { matchLabels: { app: 1 } });
test(selectsNothing, { matchLabels: 'app=web' });
test(selectsNothing, { matchExpressions: {} });
test(selectsNothing, { matchExpressions: ['a'] });
test(selectsNothing, { matchExpressions: [{ operator: 'Exists' }] });
test(selectsNothing, { matchExpressions: [{ key: 'a' }] });
test(selectsNothing, { matchExpressions: [{ key: 'a', operator: 'In', values: 'b' }] });
test(selectsNothing, { matchExpressions: [{ key: 'a', operator: 'In', values: ['b', 2] }] });
test(selectsNothing, { matchLabels: { a: 'b' }, matchExpressions: [null] });
