import test from 'ava';
import fc from 'fast-check';
import { frontFaults, frontViews } from '../../bpf/views/fronts.ts';
import { maglevShares, maglevViews } from '../../bpf/views/maglevtables.ts';
import type { MapReader } from '../../bpf/views/mapreader.ts';
import { backendViews, memberViews } from '../../bpf/views/members.ts';
import { rangeViews } from '../../bpf/views/sourceranges.ts';
import { endpoint, service, slice } from '../datapath/fixture.ts';
import { MapRig } from '../datapath/maprig.ts';

/** Everything that any view finds wrong. */
function findings(maps: MapReader): string[] {
  const tables = maglevViews(maps).flatMap(({ svc }) => maglevShares(maps, svc));
  return [
    ...frontViews(maps).flatMap(frontFaults),
    ...[
      ...memberViews(maps), ...backendViews(maps), ...rangeViews(maps), ...tables,
      ...tables.flatMap(({ endpoints }) => endpoints),
    ].flatMap(({ fault }) => (fault === undefined ? [] : [fault])),
  ];
}

interface State {
  readonly present: boolean;
  readonly local: boolean;
  readonly ranged: boolean;
  readonly endpoints: readonly { readonly name: string; readonly ready: boolean }[];
}

const states: fc.Arbitrary<State> = fc.record({
  present: fc.boolean(), local: fc.boolean(), ranged: fc.boolean(),
  endpoints: fc.uniqueArray(
    fc.record({ name: fc.constantFrom('a1', 'b1', 'c1'), ready: fc.boolean() }),
    { selector: ({ name }) => name },
  ),
});

function show(rig: MapRig, { present, local, ranged, endpoints }: State): void {
  rig.setServices(present ? [service({
    externalTrafficPolicy: local ? 'Local' : 'Cluster',
    sourceRanges: ranged ? ['203.0.113.0/25'] : [],
  })] : []);
  const shown = endpoints.map(({ name, ready }) => endpoint(name, { ready, terminating: !ready }));
  rig.setSlices([slice(shown)]);
}

// A view that cries wolf while the agent works is worth nothing (datapath.md 10, Invariant).
const sound = test.macro({
  exec: (t, algorithm: 'random' | 'maglev', maglevTableSize: number) => {
    fc.assert(fc.property(fc.array(states, { minLength: 1, maxLength: 5 }), (series) => {
      const rig = new MapRig({ options: { algorithm, maglevTableSize } }).load().start().run();
      const found: string[] = [];
      rig.afterWrite = () => void found.push(...findings(rig.kernel));
      for (const state of series) {
        show(rig, state);
        rig.run(3);
      }
      return found.length === 0;
    }), { numRuns: 25 });
    t.pass();
  },
  title: (_, algorithm) => `after every single write no view finds a fault, ${algorithm}`,
});

test(sound, 'random', 16_381);
test(sound, 'maglev', 251);
