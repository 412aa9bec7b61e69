import { ip, type Ip } from '../../lb/ip.ts';
import { Host } from '../../sim/net/host.ts';
import { PacketTap } from '../../sim/net/tap.ts';
import { Router } from '../../sim/net/router.ts';
import { Segment } from '../../sim/net/segment.ts';
import { serveEcho } from '../../sim/net/echo.ts';
import { TrafficLine, type TrafficOptions } from '../../sim/net/client.ts';
import type { NeighbourSettings } from '../../sim/net/neighbour-rules.ts';
import type { SwitchOptions } from '../../sim/net/switch.ts';
import { World, type OrderMode } from '../../sim/world.ts';

export const second = 1_000_000;

export interface LanOptions {
  readonly seed?: bigint;
  readonly order?: OrderMode;
  readonly lan?: SwitchOptions;
  readonly neighbour?: Partial<NeighbourSettings>;
}

/**
 * Two segments, a router between, an echo host and a client on the LAN, a phone behind the
 * router.
 */
export function buildLan(options: LanOptions = {}) {
  const world = new World({ seed: options.seed ?? 1n, order: options.order ?? 'fifo' });
  const tap = new PacketTap(world);
  const lan = new Segment(tap, 'lan', options.lan ?? {});
  const wifi = new Segment(tap, 'wifi');
  const neighbour = options.neighbour ?? {};
  const address = (v4: string, v6: string) => [
    { ip: ip(v4), prefixBits: 24 }, { ip: ip(v6), prefixBits: 64 },
  ];
  const lanGateways = [ip('192.168.10.1'), ip('2001:db8:10::1')];
  const server = new Host(tap, { name: 'server', mac: '02:00:00:00:00:0a', segment: lan,
    addresses: address('192.168.10.10', '2001:db8:10::a'), gateways: lanGateways });
  const laptop = new Host(tap, { name: 'laptop', mac: '02:00:00:00:00:0b', segment: lan,
    addresses: address('192.168.10.11', '2001:db8:10::b'), gateways: lanGateways, neighbour });
  const router = new Router(tap, { name: 'router', neighbour });
  router.connect({ segment: lan, mac: '02:00:00:00:00:01',
    addresses: address('192.168.10.1', '2001:db8:10::1') });
  router.connect({ segment: wifi, mac: '02:00:00:00:00:02',
    addresses: address('192.168.20.1', '2001:db8:20::1') });
  const phone = new Host(tap, { name: 'phone', mac: '02:00:00:00:00:0c', segment: wifi,
    addresses: address('192.168.20.12', '2001:db8:20::c'), gateways: [
      ip('192.168.20.1'), ip('2001:db8:20::1'),
    ] });
  serveEcho(server.transport, { port: 80, backend: 'server' });
  return { world, tap, lan, wifi, server, laptop, router, phone };
}

export type Lan = ReturnType<typeof buildLan>;

/** A started line from one of the two clients to the echo host. */
export function startLine(
  lan: Lan, options: Partial<TrafficOptions> & { client?: 'laptop' | 'phone' } = {},
): TrafficLine {
  const { client = 'laptop', ...rest } = options;
  const line = new TrafficLine(lan.tap, {
    name: `line-${client}`, from: lan[client], target: serverAddress, port: 80, protocol: 'TCP',
    every: 20_000, ...rest,
  });
  line.start();
  return line;
}

export const serverAddress: Ip = ip('192.168.10.10');
