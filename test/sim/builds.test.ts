import anyTest from 'ava';
import { ip } from '../../lb/ip.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';
import { tcpFlag, type Packet } from '../../sim/net/packet.ts';
import { Probe } from '../datapath/probe.ts';
import { compiles } from '../netns/otherlayout.ts';
import { otherBuilds } from '../scenario/builds.ts';
import { convergedCluster, manifestsOf } from './fixture.ts';

const test = compiles ? anyTest : anyTest.skip;
if (!compiles) process.stderr.write('no other build beside ours: no clang-14\n');

const flows = 60;

/** A segment of a connection that the node has never seen. */
function midstream(index: number): Packet {
  return {
    source: ip('192.168.20.250'), target: ip('192.168.10.41'), protocol: 'TCP', ttl: 63,
    sourcePort: 40_000 + index, targetPort: 80, payload: new Uint8Array(),
    tcp: { seq: 1, ack: 1, flags: tcpFlag.ack },
  };
}

// simulator.md 13, scenario 8: "mixed versions agree on hashing".
test('nodes of two builds send a flow that they do not know to the same endpoint', async (t) => {
  const objects = manifestsOf('test/scenario/manifests/base.yaml').map((object) => (
    object.kind === 'Service'
      ? {
        ...object,
        metadata: {
          ...object.metadata, annotations: { 'fairlead.dev/lb-algorithm': 'maglev' },
        },
      }
      : object
  ));
  const cluster = convergedCluster(objects, {
    builds: await otherBuilds(),
    cluster: { ...defaultCluster(), builds: { 'node-1': 'previous' } },
  });
  const { machines } = cluster;
  t.not(machines.kernel('node-1').layoutHash, machines.kernel('node-4').layoutHash);
  const reached = ['node-1', 'node-4'].map((name) => {
    const probe = new Probe(machines.get(name).node);
    return Array.from({ length: flows }, (_, index) => {
      const step = probe.uplinkIn(midstream(index));
      return step.kind === 'drop' ? step.reason : step.packet.target;
    });
  });
  t.deepEqual(reached[0], reached[1]);
  t.is(new Set(reached[0]).size, 3);
});

test('a power cycle leaves nothing of either build, and the node starts with its own', async (t) => {
  const cluster = convergedCluster(manifestsOf('test/scenario/manifests/base.yaml'), {
    builds: await otherBuilds(),
    cluster: { ...defaultCluster(), builds: { 'node-4': 'previous' } },
  });
  const kernel = cluster.machines.kernel('node-4');
  const before = kernel.layoutHash;
  const fronts = cluster.frontends('node-4');
  cluster.machines.powerOff('node-4');
  t.deepEqual(cluster.frontends('node-4'), []);
  t.not(kernel.layoutHash, before);
  cluster.machines.powerOn('node-4');
  cluster.world.run(cluster.world.now + 20_000_000);
  t.is(kernel.layoutHash, before);
  t.deepEqual(cluster.frontends('node-4'), fronts);
  t.true(fronts.length > 0);
});
