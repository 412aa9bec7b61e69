import test from 'ava';
import { maps } from '../../bpf/layout.gen.ts';
import type { EndpointSlice, Service } from '../../lb/model.ts';
import { tcpFlag } from '../../sim/net/packet.ts';
import { endpoint, everyEndpoint, ingressEntry, service, slice } from './fixture.ts';
import { Probe, type Step } from './probe.ts';
import { Rig } from './rig.ts';
import { tcp } from './walk.ts';

interface State {
  readonly service?: Service | undefined;
  readonly endpoints?: EndpointSlice;
}

const [a1, b1, c1] = everyEndpoint;
const usual: State = { service: service(), endpoints: slice(everyEndpoint) };
const otherPort = slice(everyEndpoint, {
  ports: [{ name: 'web', protocol: 'TCP', port: 9090 }],
});

/** What the cluster changes to, and back. */
const changes: Readonly<Record<string, State>> = {
  'an endpoint leaves': { endpoints: slice([a1!, b1!]) },
  'every endpoint is another': { endpoints: slice([endpoint('10.64.1.77', { nodeName: 'n-a' })]) },
  'no endpoint is left': { endpoints: slice([]) },
  'the endpoints listen elsewhere': { endpoints: otherPort },
  'one drains': {
    endpoints: slice([
      a1!, b1!, endpoint('c1', { ready: false, serving: true, terminating: true }),
    ]),
  },
  'strangers are kept local': { service: service({ externalTrafficPolicy: 'Local' }) },
  'clients stay where they are': { service: service({ affinitySeconds: 30 }) },
  'sources are chosen': { service: service({ sourceRanges: ['198.51.100.0/24'] }) },
  'another address': { service: service({ ingress: [ingressEntry('198.51.100.11')] }) },
  'the Service goes': { service: undefined, endpoints: slice([]) },
  'an endpoint of another node': { endpoints: slice([c1!]) },
};

/** Shows one node's programs new flows to every front, and notes what becomes of them. */
class Flows {
  readonly seen = new Set<string>();
  #probe: Probe;
  #port = 1_024;

  constructor(probe: Probe) {
    this.#probe = probe;
  }

  try(): void {
    const { syn } = tcpFlag;
    for (const target of ['VIP:80', 'A:30080', '192.0.2.250:80']) {
      this.#note(target, this.#probe.uplinkIn(tcp(`X:${this.#next()}`, target, syn)));
    }
    this.#note('CIP:80', this.#probe.fromPod(tcp(`P:${this.#next()}`, 'CIP:80', syn)));
  }

  #note(front: string, step: Step): void {
    // So many refusals at one instant exceed the rate of refusals (datapath.md 8.5).
    if (step.kind === 'drop' && step.reason === 'rate') return;
    const became = step.kind === 'drop' ? step.reason : `${step.packet.target}`;
    this.seen.add(`${front} ${step.kind} ${became}`);
  }

  #next(): number {
    this.#port += 1;
    return this.#port;
  }
}

function rigOf(): { rig: Rig; flows: () => Flows; set: (state: State) => void } {
  const rig = new Rig();
  rig.load([usual.service!], [usual.endpoints!]);
  rig.startPods();
  rig.datapath('n-a');
  rig.run(5);
  const probe = new Probe(rig.node('n-a'));
  const set = (state: State): void => {
    const wanted = { ...usual, ...state };
    if (wanted.service === undefined) rig.tables.services.delete('default/s');
    else rig.tables.services.upsert('default/s', wanted.service);
    rig.tables.slices.upsert('default/s-1', wanted.endpoints!);
  };
  return { rig, flows: () => new Flows(probe), set };
}

/** Outcomes of many flows in a cluster at rest. */
function atRest(flows: Flows): ReadonlySet<string> {
  for (let count = 0; count < 60; count += 1) flows.try();
  return flows.seen;
}

for (const [name, state] of Object.entries(changes)) {
  for (const [way, from, to] of [['', {}, state], [', and back', state, {}]] as const) {
    test(`${name}${way}: after every single write a new flow goes the old way or the new`, (t) => {
      const { rig, flows, set } = rigOf();
      set(from);
      rig.run(5);
      const legal = new Set(atRest(flows()));
      const during = flows();
      let writes = 0;
      for (const map of Object.keys(maps)) {
        rig.node('n-a').kernel.onWrite(map, () => {
          writes += 1;
          for (let count = 0; count < 8; count += 1) during.try();
        });
      }
      set(to);
      // Beyond every quarantine, so that what is taken away is taken away meanwhile.
      rig.run(130);
      for (const outcome of atRest(flows())) legal.add(outcome);
      t.true(writes > 0);
      t.deepEqual([...during.seen].filter((outcome) => !legal.has(outcome)), []);
    });
  }
}
