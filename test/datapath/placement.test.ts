import test from 'ava';
import { placeDevices, podsOf, type PlacementOptions } from '../../bpf/placement.ts';
import { ip } from '../../lb/ip.ts';
import type { DeviceFacts } from '../../lb/netlink.ts';

function device(ifindex: number, name: string, facts: Partial<DeviceFacts> = {}): DeviceFacts {
  return {
    name, ifindex, mac: '02:00:00:00:00:0a', adminUp: true, carrier: true, loopback: false,
    noArp: false, enslaved: false, addresses: [], defaultRoute: false, kind: undefined,
    ethernet: true, mtu: 1500, master: undefined, peer: undefined, peerNetns: undefined, ...facts,
  };
}

const automatic: PlacementOptions = { nodeAddresses: [], devices: [], announces: () => false };
const lo = device(1, 'lo', { loopback: true, addresses: [ip('192.0.2.11')] });
const pod = device(7, 'lxc1', { kind: 'veth', peer: 2, peerNetns: 0, master: 5, enslaved: true });

const placed = test.macro({
  exec: (
    t, _: string, of: readonly DeviceFacts[], shown: string,
    options: Partial<PlacementOptions> = {},
  ) => {
    const { uplinks, pods } = placeDevices(of, { ...automatic, ...options });
    const names = (list: readonly DeviceFacts[]): string => list.map(({ name }) => name).join();
    t.is(`${names(uplinks)} | ${names(pods)}`, shown);
  },
  title: (_, name, __, shown) => `${name}: ${shown}`,
});
test(placed, 'a default route makes an uplink', [lo, device(2, 'eth0', { defaultRoute: true })],
  'eth0 | ');
test(placed, 'a Node address makes an uplink', [device(2, 'a', { addresses: [ip('192.0.2.11')] })],
  'a | ', { nodeAddresses: [ip('192.0.2.11')] });
test(placed, 'loopback never is one', [lo], ' | ', { nodeAddresses: [ip('192.0.2.11')] });
test(placed, 'an enslaved port stands for its master',
  [device(2, 'eth0', { defaultRoute: true, enslaved: true, master: 3 }), device(3, 'bond0')],
  'bond0 | ');
test(placed, 'a tunnel of the CNI is an uplink', [device(4, 'flannel.1', { kind: 'vxlan' })],
  'flannel.1 | ');
test(placed, 'a veth into another namespace is a pod, on a bridge too',
  [device(5, 'cni0', { kind: 'bridge' }), pod], ' | lxc1');
test(placed, 'a veth within the namespace is neither', [device(8, 'v0', { kind: 'veth', peer: 9 })],
  ' | ');
test(placed, 'the veth of a node that is a container is an uplink',
  [device(2, 'eth0', { kind: 'veth', peer: 9, peerNetns: 0, defaultRoute: true })], 'eth0 | ');
test(placed, 'a list replaces what routes say',
  [device(2, 'eth0', { defaultRoute: true }), device(3, 'ens3.7'), device(4, 'ens34')],
  'ens3.7 | ', { devices: ['ens3.*'] });
test(placed, 'a question mark is one letter',
  [device(2, 'eth0'), device(3, 'eth10'), device(4, 'eth')], 'eth0 | ', { devices: ['eth?'] });
test(placed, 'a device of announcements is added to a list', [device(2, 'eth0'), device(3, 'eth1')],
  'eth0,eth1 | ', { devices: ['eth0'], announces: (name) => name === 'eth1' });

test('a pod is at the other end of a veth; one without an end is known by its addresses', (t) => {
  const inside = device(2, 'eth0', { addresses: [ip('10.64.1.9'), ip('fe80::1')] });
  const stranger = device(2, 'eth0', { kind: 'veth', peer: 7, addresses: [ip('10.64.1.8')] });
  const namespaces = [
    { cookie: 5n, id: 0, devices: [lo, inside] }, { cookie: 6n, id: 1, devices: [stranger] },
    { cookie: 7n, id: undefined, devices: [stranger] },
  ];
  const pods = podsOf({ namespaces, pods: [pod], hooked: new Set([7]) });
  t.deepEqual(pods, [
    { cookie: 5n, addresses: [ip('10.64.1.9')], ifindex: 7, hooked: true },
    { cookie: 6n, addresses: [ip('10.64.1.8')], ifindex: 0, hooked: false },
    { cookie: 7n, addresses: [ip('10.64.1.8')], ifindex: 0, hooked: false },
  ]);
});
