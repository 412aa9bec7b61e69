import { encodeResponderEntry, responderMap } from '../../l2/responder-map.ts';
import { Process } from '../../sim/process.ts';
import { Rig } from '../datapath/rig.ts';
import { linkContract } from './links.ts';

linkContract({
  name: 'simulated links',
  with: async (body) => {
    const rig = new Rig();
    const port = (name: string) => rig.node(name).linkPort(
      new Process(rig.world, `agent/${name}`, rig.node(name).clock),
    );
    const mac = '02:00:00:00:00:01';
    await body({
      near: port('n-a'), far: port('n-b'),
      permit: (address) => rig.node('n-a').kernel.update(
        responderMap,
        encodeResponderEntry({ ifindex: 2, ip: address }, { expiryNs: 100_000_000_000n, mac }),
        'any',
      ),
      setUp: (up) => rig.node('n-a').nics[0]!.setAdminUp(up),
      pass: () => {
        rig.run(1);
        return Promise.resolve();
      },
    });
  },
});
