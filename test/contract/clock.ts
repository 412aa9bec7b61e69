import type { ExecutionContext } from 'ava';
import anyTest from 'ava';
import type { Clock, Random } from '../../lb/ports.ts';

/** One clock for one test. */
export interface ClockBench {
  readonly clock: Clock;
  /** Lets so many microseconds pass by the clock, at least. */
  readonly pass: (duration: number) => Promise<void>;
}

/** What every `Clock` keeps (lb/ports.ts). */
export function clockContract(
  of: { readonly name: string; readonly open: (t: ExecutionContext) => ClockBench },
): void {
  const claim: Claim = (title, body) => anyTest(`${of.name}: ${title}`, (t) => body(t, of.open(t)));
  claimTime(claim);
  claimTimers(claim);
}

type Claim = (
  title: string, body: (t: ExecutionContext, bench: ClockBench) => Promise<void> | void,
) => void;

function claimTime(claim: Claim): void {
  claim('time is whole microseconds and never goes back', async (t, { clock, pass }) => {
    let [now, boot] = [clock.now(), clock.boot()];
    for (let turn = 0; turn < 20; turn += 1) {
      await pass(200);
      t.true(Number.isSafeInteger(clock.now()) && Number.isSafeInteger(clock.boot()));
      t.true(clock.now() >= now && clock.boot() >= boot);
      [now, boot] = [clock.now(), clock.boot()];
    }
    t.true(Number.isSafeInteger(clock.wall()));
  });

  claim('a callback runs once, not early, and not inside the call', async (t, { clock, pass }) => {
    const runs: number[] = [];
    const due = clock.now() + 5_000;
    clock.after(5_000, () => runs.push(clock.now()));
    clock.after(0, () => runs.push(-1));
    t.deepEqual(runs, []);
    await pass(50_000);
    t.is(runs.length, 2);
    t.is(runs[0], -1);
    t.true(runs[1]! >= due, `${due - runs[1]!} µs early`);
    await pass(20_000);
    t.is(runs.length, 2);
  });
}

function claimTimers(claim: Claim): void {
  claim('callbacks come in the order in which they are due', async (t, { clock, pass }) => {
    const order: string[] = [];
    clock.after(30_000, () => order.push('late'));
    clock.after(2_000, () => order.push('early'));
    await pass(100_000);
    t.deepEqual(order, ['early', 'late']);
  });

  claim('what is cancelled does not run, however often', async (t, { clock, pass }) => {
    let runs = 0;
    const timer = clock.after(3_000, () => { runs += 1; });
    const other = clock.after(0, () => { runs += 10; });
    timer.cancel();
    timer.cancel();
    await pass(30_000);
    other.cancel();
    t.is(runs, 10);
  });

  claim('a callback may arm and cancel others', async (t, { clock, pass }) => {
    const order: string[] = [];
    const doomed = clock.after(10_000, () => order.push('doomed'));
    clock.after(1_000, () => {
      doomed.cancel();
      clock.after(1_000, () => order.push('second'));
      order.push('first');
    });
    // A busy machine may come late to the first, from where the second counts.
    for (let turn = 0; turn < 100 && order.length < 2; turn += 1) await pass(60_000);
    t.deepEqual(order, ['first', 'second']);
  });
}

/** What every `Random` keeps. */
export function randomContract(
  of: { readonly name: string; readonly open: () => Random },
): void {
  anyTest(`${of.name}: numbers are whole and below their bound`, (t) => {
    const random = of.open();
    for (const bound of [1, 2, 3, 7, 1_000, 65_536, 2 ** 31 + 1, 2 ** 32]) {
      for (let turn = 0; turn < 200; turn += 1) {
        const number = random.below(bound);
        if (!Number.isSafeInteger(number) || number < 0 || number >= bound) {
          t.fail(`${number} below ${bound}`);
        }
      }
    }
    t.is(random.below(1), 0);
  });

  anyTest(`${of.name}: every number below a small bound comes, none too often`, (t) => {
    const random = of.open();
    const counts = new Array<number>(8).fill(0);
    for (let turn = 0; turn < 8_000; turn += 1) counts[random.below(8)]! += 1;
    // Ten standard deviations of a binomial distribution: chance fails this never.
    for (const count of counts) t.true(Math.abs(count - 1_000) < 300, counts.join(' '));
  });

  anyTest(`${of.name}: rare branches are taken in simulations that ask for them only`, (t) => {
    const random = of.open();
    t.false(Array.from({ length: 100 }, () => random.rare('site')).some(Boolean));
  });
}
