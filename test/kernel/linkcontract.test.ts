import { setImmediate as turn } from 'node:timers/promises';
import { realLinks, type RealLinks } from '../../l2/link.real.ts';
import type { SocketHandle } from '../../bpf/native.real.ts';
import { linkContract } from '../contract/links.ts';
import { kernelTests, run } from './machine.ts';
import { Place, type Side } from './place.ts';

const { addon, skip } = kernelTests();

function links(place: Place, side: Side): RealLinks {
  const port = addon.netnsCall(side.path, () => realLinks<SocketHandle>({
    addon: addon as never, hears: ({ name }) => name === 'eth0',
  })) as RealLinks;
  place.later(() => port.close());
  return port;
}

linkContract({
  name: 'real links',
  skip,
  with: (body) => Place.with(async (place) => {
    const [near, far] = place.pair();
    const port = links(place, near);
    // Groups are joined in the namespace of the thread, as an agent is in that of its node.
    const inside = (join: RealLinks['join']): RealLinks['join'] => (
      (...of) => addon.netnsCall(near.path, () => join(...of)) as ReturnType<RealLinks['join']>
    );
    await body({
      near: {
        links: () => port.links(), routes: () => port.routes(),
        onLinks: (listener) => port.onLinks(listener),
        onFrame: (listener) => port.onFrame(listener),
        send: (ifindex, frame) => port.send(ifindex, frame),
        join: inside((ifindex, group) => port.join(ifindex, group)),
        leave: (ifindex, group) => {
          addon.netnsCall(near.path, () => port.leave(ifindex, group));
        },
      },
      far: links(place, far),
      permit: () => undefined,
      setUp: (up) => {
        run(`ip -n ${near.namespace} link set eth0 ${up ? 'up' : 'down'}`);
      },
      pass: async (done) => {
        for (let turns = 0; turns < 20_000 && !done(); turns += 1) await turn();
      },
    });
  }),
});
