import anyTest from 'ava';
import type { KernelPort } from '../../lb/ports.ts';
import { serviceKey } from '../../lb/model.ts';
import {
  endpoint, everyEndpoint, ingressEntry, meta, service, slice, type Given,
} from '../datapath/fixture.ts';
import { MapRig, oracle, packetOf } from '../datapath/maprig.ts';
import { walkMaps, type MapReader } from '../datapath/mapwalk.ts';
import { kernelTests } from './machine.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

/** The maps of the shipped object, a datapath that programs them, and what was written. */
class RealMaps {
  readonly real = new Rig(addon, 'bpf/fairlead.bpf.o');
  readonly written: string[] = [];
  readonly rig: MapRig;

  constructor(options: Given['options'] = {}) {
    this.rig = new MapRig({ options, more: { kernel: this.#counted(this.real.kernel) } });
  }

  get reader(): MapReader {
    const { kernel } = this.real;
    return {
      lookup: (map, key) => kernel.lookup(map, key),
      entries: (map) => kernel.dump(map),
    };
  }

  ask(question: string): string {
    return walkMaps(this.reader, packetOf(question), this.rig.options);
  }

  #counted(port: KernelPort): KernelPort {
    return {
      ...port,
      update: (map, entry, flag) => {
        this.written.push(map);
        return port.update(map, entry, flag);
      },
      updateMany: (map, rows, flag) => {
        this.written.push(map);
        return port.updateMany(map, rows, flag);
      },
      removeMany: (map, keys) => {
        this.written.push(`remove ${map}`);
        return port.removeMany(map, keys);
      },
    };
  }
}

function withMaps(body: (maps: RealMaps) => void, options: Given['options'] = {}): void {
  const maps = new RealMaps(options);
  try {
    body(maps);
  } finally {
    maps.real.close();
  }
}

const probes = [
  'P → CIP:80', 'X → VIP:80', 'Y → VIP:80', 'X → VIP:81', 'P → CIP:81', 'X → EIP:80',
  'X → node:30080', 'X → node2:30080', 'H → 127.0.0.1:30080', 'P → 10.200.9.9:80',
  '198.51.100.10 → VIP:80',
];
const ranged = [service({
  sourceRanges: ['203.0.113.0/25', '192.0.2.0/24'], externalTrafficPolicy: 'Local',
  affinitySeconds: 10,
})];

test('the maps of the kernel answer as the oracle does, and a restart writes nothing', (t) => {
  const options = { algorithm: 'maglev' } as const;
  withMaps((maps) => {
    maps.rig.load(ranged).start().run();
    t.true(maps.rig.datapath.ready());
    for (const probe of probes) t.is(maps.ask(probe), oracle(probe, { services: ranged, options }));
    maps.written.length = 0;
    maps.rig.restart().load(ranged).start().run(5);
    t.true(maps.rig.datapath.ready());
    t.deepEqual(maps.written, []);
    maps.rig.run(301);
    t.is(maps.rig.datapath.auditRepairs, 0);
    t.deepEqual(maps.written, []);
  }, options);
});

test('an endpoint that leaves is one record; a Service that leaves takes all its rows along', (t) => {
  withMaps((maps) => {
    maps.rig.load(ranged).start().run();
    maps.written.length = 0;
    maps.rig.setSlices([slice(everyEndpoint.slice(1))]);
    maps.rig.run(0.1);
    t.deepEqual(maps.written, ['fl_lut', 'fl_set', 'fl_svc', 'remove fl_member']);
    t.is(maps.ask('X → VIP:80'), 'DROP policyEmpty');
    maps.rig.setServices([]);
    maps.rig.run(6);
    for (const map of ['fl_front', 'fl_svc', 'fl_member', 'fl_range']) {
      t.is(maps.real.kernel.dump(map).length, 0, map);
    }
    t.is(maps.ask('P → CIP:80'), 'DROP unallocated');
  });
});

test('two thousand Services go into the kernel in full batches and come out of it unchanged', (t) => {
  const services = Array.from({ length: 2_000 }, (_, at) => service({
    meta: meta(`s${at}`), key: serviceKey('default', `s${at}`), externalIps: [],
    clusterIps: [`10.200.${at >> 8}.${at & 255}`],
    ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
    ingress: [ingressEntry(`100.64.${at >> 8}.${at & 255}`)],
  }));
  const slices = services.map((of, at) => slice(
    [endpoint(`10.64.${at >> 8}.${at & 255}`, { nodeName: 'n-b' })],
    { meta: meta(`slice-${at}`), service: of.key },
  ));
  withMaps((maps) => {
    maps.rig.load(services, slices).start().run();
    t.true(maps.rig.datapath.ready());
    t.true(maps.written.length < 40, `${maps.written.length} calls`);
    for (const at of [0, 999, 1_999]) {
      t.is(maps.ask(`P → 10.200.${at >> 8}.${at & 255}:80`), `10.64.${at >> 8}.${at & 255}:8080`);
    }
    maps.written.length = 0;
    maps.rig.restart().load(services, slices).start().run(5);
    t.true(maps.rig.datapath.ready());
    t.deepEqual(maps.written, []);
  });
});
