import anyTest from 'ava';
import type { KernelPort } from '../../lb/ports.ts';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import { serviceKey } from '../../lb/model.ts';
import { endpoint, ingressEntry, meta, service, slice } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';
import { kernelTests } from './machine.ts';
import { Rig } from './rig.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

const count = 300;
const services: readonly Service[] = Array.from({ length: count }, (_, at) => service({
  meta: meta(`s${at}`), key: serviceKey('default', `s${at}`), externalIps: [],
  clusterIps: [`10.200.${at >> 8}.${at & 255}`],
  ports: [{ name: 'web', protocol: 'TCP', port: 80, nodePort: 0 }],
  ingress: [ingressEntry(`100.64.${at >> 8}.${at & 255}`)],
}));
const slices: readonly EndpointSlice[] = services.map((of, at) => slice(
  [
    endpoint(`10.64.${at >> 8}.${at & 255}`, { nodeName: at % 100 === 0 ? 'n-a' : 'n-b' }),
    endpoint(`10.65.${at >> 8}.${at & 255}`, { nodeName: 'n-c' }),
  ],
  { meta: meta(`slice-${at}`), service: of.key },
));
const maps = [
  'fl_front', 'fl_svc', 'fl_set', 'fl_lut', 'fl_backend', 'fl_member', 'fl_addr', 'fl_range',
  'fl_net', 'fl_cfg',
] as const;

/** Rows that are not all zero, as text, sorted: cells of arrays are there from the start. */
function rows(kernel: KernelPort, map: string): string[] {
  return kernel.dump(map)
    .filter(({ value }) => value.some((byte) => byte !== 0))
    .map(({ key, value }) => `${key.join('.')} ${value.join('.')}`)
    .toSorted();
}

/** The port, counting calls that write. */
function counted(port: KernelPort): { readonly port: KernelPort; calls: number } {
  const counting = {
    calls: 0,
    port: {
      ...port,
      update: (...all: Parameters<KernelPort['update']>) => {
        counting.calls += 1;
        return port.update(...all);
      },
      remove: (...all: Parameters<KernelPort['remove']>) => {
        counting.calls += 1;
        return port.remove(...all);
      },
      updateMany: (...all: Parameters<KernelPort['updateMany']>) => {
        counting.calls += 1;
        return port.updateMany(...all);
      },
      removeMany: (...all: Parameters<KernelPort['removeMany']>) => {
        counting.calls += 1;
        return port.removeMany(...all);
      },
    },
  };
  return counting;
}

test('the same Services leave the same rows in the simulated and in the real kernel', (t) => {
  const rig = new Rig(addon, 'bpf/fairlead.bpf.o');
  try {
    const real = counted(rig.kernel);
    const simulated = new MapRig().load(services, slices).start().run();
    const programmed = new MapRig({ more: { kernel: real.port } })
      .load(services, slices).start().run();
    t.true(programmed.datapath.ready());
    for (const map of maps) {
      t.deepEqual(rows(rig.kernel, map), rows(simulated.kernel, map), map);
    }
    t.is(rows(rig.kernel, 'fl_svc').length, count);

    const { calls } = real;
    programmed.restart().load(services, slices).start().run(3);
    t.true(programmed.datapath.ready());
    t.is(real.calls, calls, 'a restart writes nothing');
  } finally {
    rig.close();
  }
});
