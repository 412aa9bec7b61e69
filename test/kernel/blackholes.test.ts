import anyTest from 'ava';
import type { SocketHandle } from '../../bpf/native.real.ts';
import { openBlackholes, openDevices, type SocketAddon } from '../../lb/devices.real.ts';
import { ip, type Prefix } from '../../lb/ip.ts';
import type { BlackholePort } from '../../lb/ports.ts';
import { blackholeContract } from '../contract/blackholes.ts';
import { kernelTests, run } from './machine.ts';
import { Place, type Side } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const sockets = addon as unknown as SocketAddon<SocketHandle>;

function portOf(place: Place, side: Side): BlackholePort {
  const open = (): ReturnType<typeof openBlackholes> => openBlackholes(sockets);
  const port = addon.netnsCall(side.path, open) as ReturnType<typeof openBlackholes>;
  place.later(() => port.close());
  return port;
}

blackholeContract({
  name: 'black holes of the kernel',
  skip,
  with: (body) => Place.with((place) => {
    const [left] = place.pair();
    body(portOf(place, left));
  }),
});

test('black holes of others are not ours, and ours stand behind real routes', async (t) => {
  await Place.with((place) => {
    const [left] = place.pair();
    const inside = `ip -n ${left.namespace}`;
    run(`${inside} route add blackhole 192.0.2.0/24`);
    run(`${inside} address add 198.51.100.9/24 dev eth0`);
    const port = portOf(place, left);
    t.deepEqual(port.list(), []);
    t.true(port.add('198.51.100.0/24' as Prefix).ok);
    t.deepEqual(port.list(), ['198.51.100.0/24']);
    t.regex(run(`${inside} route get 198.51.100.77`), /dev eth0/u);
    run(`${inside} address del 198.51.100.9/24 dev eth0`);
    t.throws(() => run(`${inside} route get 198.51.100.77`));
    t.true(port.remove('192.0.2.0/24' as Prefix).ok);
    t.regex(run(`${inside} route show type blackhole`), /192\.0\.2\.0\/24/u);
  });
});

test('routes are told with gateway, device and metric, each next hop for itself', async (t) => {
  await Place.with((place) => {
    const [left] = place.pair();
    const inside = `ip -n ${left.namespace}`;
    run(`${inside} address add 10.99.0.1/24 dev eth0`);
    const enable = 'sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0';
    run(`ip netns exec ${left.namespace} ${enable}`);
    run(`${inside} address add fd00:99::1/64 dev eth0 nodad`);
    run(`${inside} route add default via 10.99.0.3 metric 50`);
    run(`${inside} route add 10.8.0.0/16 nexthop via 10.99.0.4 nexthop via 10.99.0.5`);
    run(`${inside} -6 route add default via fd00:99::3`);
    const devices = addon.netnsCall(left.path, () => openDevices(sockets)) as ReturnType<
      typeof openDevices
    >;
    place.later(() => devices.close());
    const { ifindex } = devices.read().find(({ name }) => name === 'eth0')!;
    const told = devices.routes().filter((route) => route.ifindex === ifindex);
    const of = (prefix: string) => told.filter((route) => route.prefix === prefix)
      .map(({ gateway, metric }) => ({ gateway, metric }));
    t.deepEqual(of('0.0.0.0/0'), [{ gateway: ip('10.99.0.3'), metric: 50 }]);
    t.deepEqual(of('10.99.0.0/24'), [{ gateway: undefined, metric: 0 }]);
    const gateways = (prefix: string) => of(prefix).map(({ gateway }) => gateway);
    t.deepEqual(gateways('10.8.0.0/16'), [ip('10.99.0.4'), ip('10.99.0.5')]);
    t.deepEqual(gateways('::/0'), [ip('fd00:99::3')]);
  });
});
