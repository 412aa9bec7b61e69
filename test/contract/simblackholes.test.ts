import { Process } from '../../sim/process.ts';
import { Rig } from '../datapath/rig.ts';
import { blackholeContract } from './blackholes.ts';

blackholeContract({
  name: 'simulated black holes',
  with: (body) => {
    const rig = new Rig();
    const node = rig.node('n-a');
    body(node.blackholePort(new Process(rig.world, 'agent/n-a', node.clock)));
    return Promise.resolve();
  },
});
