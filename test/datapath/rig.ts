import { checkedPrograms } from '../vm/checked.ts';
import { createServiceDatapath } from '../../bpf/datapath/datapath.ts';
import type { ServiceDatapath } from '../../bpf/datapath/settings.ts';
import { DatapathMemo } from '../../bpf/datapath/memo.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import { ip, type Ip } from '../../lb/ip.ts';
import type { EndpointSlice, Node, Service } from '../../lb/model.ts';
import { Table } from '../../lb/table.ts';
import { SimNode } from '../../sim/node/node.ts';
import { loadedObject } from '../../sim/node/object.ts';
import { decodeAnswer, echoRequest } from '../../sim/net/echo.ts';
import { Host } from '../../sim/net/host.ts';
import { Segment } from '../../sim/net/segment.ts';
import { describeDrop, PacketTap } from '../../sim/net/tap.ts';
import type { Transport } from '../../sim/net/transport.ts';
import { Process, processClock, processJournal } from '../../sim/process.ts';
import { World } from '../../sim/world.ts';
import { endpoint, everyEndpoint, fixtureOptions, nodes, service, slice } from './fixture.ts';

/** Nodes n-a, n-b, n-c of the fixture on one segment with outside hosts X and Y, all on-link. */
export class Rig {
  readonly world: World;
  readonly tap: PacketTap;
  readonly lan: Segment;
  readonly nodes = new Map<string, SimNode>();
  readonly x: Host;
  readonly tables = {
    services: new Table<Service>('services'), slices: new Table<EndpointSlice>('slices'),
    nodes: new Table<Node>('nodes'),
  };
  readonly memo = new DatapathMemo();
  readonly options: DatapathOptions;

  constructor(options: Partial<DatapathOptions> = {}, seed = 1n) {
    this.world = new World({ seed });
    this.tap = new PacketTap(this.world);
    this.lan = new Segment(this.tap, 'lan');
    this.options = { ...fixtureOptions, ...options };
    for (const [index, name] of ['n-a', 'n-b', 'n-c'].entries()) this.#addNode(name, index + 1);
    for (const from of this.nodes.values()) {
      for (const [index, via] of ['n-a', 'n-b', 'n-c'].entries()) {
        from.addPodRoute(`10.64.${index + 1}.0/24`, ip(`192.0.2.${11 + index}`));
        void via;
      }
    }
    // The client has the nodes on its wire, and the fixture's service addresses by way of node A.
    this.x = this.#host('x', '203.0.113.7', 0x77);
    for (const prefix of ['198.51.100.0/24', '10.200.0.0/16', '192.0.2.250/32', '10.64.0.0/16']) {
      this.x.stack.routes.add(prefix, this.x.iface, ip('192.0.2.11'));
    }
  }

  #addNode(name: string, index: number): void {
    const mac = `02:00:00:00:00:0${index}`;
    const addresses = [`192.0.2.${10 + index}`, ...(index === 1 ? ['192.0.2.111'] : [])];
    const node = new SimNode(this.tap, {
      name, podRanges: [`10.64.${index}.0/24`], object: loadedObject(checkedPrograms, this.options),
      links: [
        {
          segment: this.lan, mac,
          addresses: addresses.map((address) => ({ ip: ip(address), prefixBits: 24 })),
        },
      ],
    });
    node.stack.addSubnet(node.stack.interfaces[0]!, '203.0.113.0/24');
    this.nodes.set(name, node);
  }

  #host(name: string, address: string, mac: number): Host {
    const host = new Host(this.tap, {
      name, mac: `02:00:00:00:00:${mac.toString(16)}`, segment: this.lan,
      addresses: [{ ip: ip(address), prefixBits: 24 }],
    });
    host.stack.addSubnet(host.iface, '192.0.2.0/24');
    return host;
  }

  node(name: string): SimNode {
    return this.nodes.get(name)!;
  }

  /** A datapath in a process of its own on a node; it ends with the process. */
  datapath(name: string, memo: DatapathMemo = this.memo): {
    process: Process; datapath: ServiceDatapath,
  } {
    const node = this.node(name);
    const process = new Process(this.world, `agent/${name}`, node.clock);
    const ports = {
      clock: processClock(process), kernel: node.kernelPort(process),
      journal: processJournal(process), devices: node.devicesPort(process),
    };
    const datapath = createServiceDatapath(
      ports, this.tables, { nodeName: name, options: this.options, memo },
    );
    process.enter(() => datapath.start());
    return { process, datapath };
  }

  load(
    services: readonly Service[] = [service()],
    slices: readonly EndpointSlice[] = [slice(everyEndpoint)],
  ): void {
    for (const of of services) this.tables.services.upsert(of.key, of);
    for (const of of slices) this.tables.slices.upsert(`default/${of.meta.name}`, of);
    for (const of of nodes) this.tables.nodes.upsert(of.meta.name, of);
    for (const table of Object.values(this.tables)) table.markComplete();
  }

  /** Pods a1, b1 and c1, and the client pod P. */
  startPods(): void {
    this.#pod('n-a', 'a1', '10.64.1.21');
    this.#pod('n-b', 'b1', '10.64.2.21');
    this.#pod('n-c', 'c1', '10.64.3.21');
    this.#pod('n-a', 'P', '10.64.1.9');
  }

  #pod(node: string, name: string, address: string): void {
    this.node(node).startPod(
      { uid: name, name, namespace: 'default', ips: [ip(address)], hostNetwork: false, ports: [] },
    );
  }

  pod(node: string, uid: string): Transport {
    return this.node(node).pods.get(uid)!.transport;
  }

  run(seconds: number): void {
    const until = this.world.now + seconds * 1_000_000;
    // A world whose heap ran empty stands still, so the end of the wait is an event of its own.
    this.world.schedule(until - this.world.now, { kind: 'wait', entity: 'test' }, () => undefined);
    this.world.run(until);
  }

  /** One request; `default/b1 sees 192.0.2.11`, or how it ended. */
  ask(from: Transport, source: string, target: string, port = 80): string {
    let outcome = '';
    const trail = this.tap.newTrail();
    const ends = {
      local: ip(source), localPort: from.ephemeralPort(), remote: ip(target), remotePort: port,
    };
    const connection = from.connect(ends, {
      onConnected: (open) => open.send(echoRequest('once'), false),
      onPayload: (_open, payload) => {
        const answer = decodeAnswer(payload);
        outcome = answer === undefined
          ? 'garbage'
          : `${answer.backend.replace('default/', '')} sees ${answer.source}`;
      },
      onEnd: (_open, how) => { if (outcome === '') outcome = how; },
    }, trail);
    connection.connectTimeout = 3_000_000;
    this.run(4);
    const drop = this.tap.takeDrop(trail);
    return outcome === 'timeout' && drop !== undefined ? `timeout, ${describeDrop(drop)}` : outcome;
  }
}

export { endpoint, type Ip };
