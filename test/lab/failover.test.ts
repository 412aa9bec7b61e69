// Every fault of `kind/lab/failover` once, on real nodes with fast timing; `test/lab/measure.ts`
// plays them many times, with both timings, beside the simulator.
import anyTest from 'ava';
import { storyOf, strikeOnce, type Failover } from '../../kind/lab/failover.ts';
import { Lab } from '../../kind/lab/lab.ts';
import { bringUp } from '../../kind/lab/up.ts';
import { doubled } from '../../kind/lab/watcher.ts';
import { kernelTests } from '../kernel/machine.ts';
import { deliveries, gracefulMaxMs, labOf, readStory, timings } from './story.ts';

const { skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;
const name = `f${process.pid}`;
const { crashMaxMs, patienceMs } = timings.fast;

let lab: Lab;
/** Worst `u` of l2.md 7 on this machine now: it is a term of both bounds. */
let deliveryMs = 0;

if (!skip) {
  anyTest.before(async () => {
    const up = await bringUp(labOf(name, await readStory('power-off', 'fast')), () => undefined);
    if (!up.ok) throw new Error(up.error);
    lab = up.value;
  });
  anyTest.after.always(async () => {
    const found = Lab.open(name);
    if (found.ok) await found.value.down();
  });
}

async function play(story: string): Promise<Failover> {
  const { scenario } = await readStory(story, 'fast');
  const struck = await strikeOnce(lab, { story: storyOf(scenario), watcher: 'laptop', patienceMs });
  deliveryMs = (await deliveries(lab, 20)).at(-1) ?? 0;
  return struck;
}

/** The bound of l2.md 7, which holds for the delivery times that it assumes; longer ones add up. */
function bound(kind: 'crash' | 'graceful'): number {
  return kind === 'crash'
    ? crashMaxMs + 3 * Math.max(0, deliveryMs - 70)
    : gracefulMaxMs + 2 * Math.max(0, deliveryMs - 42);
}

const takenOver = anyTest.macro({
  exec: async (t, story: string, kind: 'crash' | 'graceful') => {
    const { outageMs, silenceMs, from, to, heard } = await play(story);
    t.is(doubled(heard), 0, 'two nodes answered one question');
    t.not(to, from);
    t.true(heard.asks.length > 50);
    t.true(silenceMs <= bound(kind), `${silenceMs} ms without an answer, u is ${deliveryMs} ms`);
    t.true(outageMs <= bound(kind), `${outageMs} ms of outage, u is ${deliveryMs} ms`);
    const announced = new Set(heard.announcements.map(({ mac }) => mac));
    const cable = lab.spec.blueprint.cables.find(({ machine }) => machine === to);
    t.true(announced.has(cable?.mac ?? ''), 'the new owner tells the segment');
  },
  title: (_, story, kind) => `${story}: another node answers within the bound of a ${kind} end`,
});

test(takenOver, 'power-off', 'crash');
test(takenOver, 'agent-kill', 'crash');
test(takenOver, 'owner-without-api', 'crash');
test(takenOver, 'agent-stop', 'graceful');
test(takenOver, 'drain', 'graceful');
test(takenOver, 'link-down', 'graceful');

test('api-down: all fall silent at their fence, and the same owner is back with the API', async (t) => {
  const { silenceMs, from, to, heard } = await play('api-down');
  t.is(doubled(heard), 0);
  t.is(to, from);
  // 2.3 s without it: the fence passes within 1 s, and 2 s after its return all is well.
  t.true(silenceMs > 1_000 && silenceMs < 2_300 + 2_000, `${silenceMs} ms`);
});

test('lan-cut: an owner with carrier and session stays, nobody else answers', async (t) => {
  const { outageMs, from, to, heard } = await play('lan-cut');
  t.is(doubled(heard), 0);
  t.is(to, from);
  t.true(outageMs > 2_000, `${outageMs} ms`);
  t.is(new Set(heard.asks.flatMap(({ macs }) => macs)).size, 1);
});
