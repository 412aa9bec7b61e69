import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import anyTest from 'ava';
import { realKernel } from '../../bpf/kernel.real.ts';
import type { LockHandle } from '../../bpf/native.real.ts';
import { kernelTests } from './machine.ts';
import { alive } from './place.ts';

const { addon, skip } = kernelTests();
const test = skip ? anyTest.skip : anyTest.serial;

function script(name: string): string {
  return join(import.meta.dirname, name);
}

test('batches survive the garbage collector, and dropped handles are closed by it', (t) => {
  const child = spawnSync(process.execPath, ['--expose-gc', script('collected.ts')], {
    encoding: 'utf8',
  });
  t.is(child.status, 0, child.stderr);
  const told = JSON.parse(child.stdout) as Record<string, number>;
  t.like(told, { entries: 20_000, right: 20_000, dropped: 600, heard: 0 });
  t.true(told['left']! <= 5 && told['watched']! <= 5, child.stdout);
});

/** A process that has the lock and waits to be killed. */
async function holder(name: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [script('holder.ts'), name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout!, 'data');
  return child;
}

test('a host lock is free the moment its process is killed, and the waiting one is told', async (t) => {
  const name = `fairlead-survival-${process.pid}`;
  const child = await holder(name);
  t.teardown(() => child.kill('SIGKILL'));
  t.is(addon.lockTake(name), -98 as never);
  const kernel = realKernel(addon, new Map());
  let held = false;
  const told = new Promise<void>((resolve) => {
    kernel.hostLock(name, () => {
      held = true;
      resolve();
    });
  });
  t.true(alive(child.pid!));
  t.false(held);
  child.kill('SIGKILL');
  await told;
  t.true(held);
  t.is(addon.lockTake(name), -98 as never, 'now it is ours');
  kernel.close();
  const again = addon.lockTake(name);
  t.is(typeof again, 'object');
  addon.close(again as LockHandle);
});

test('a hundred waiters are told one after the other', async (t) => {
  const name = `fairlead-crowd-${process.pid}`;
  const order: number[] = [];
  await new Promise<void>((resolve) => {
    for (let number = 0; number < 100; number += 1) {
      const kernel = realKernel(addon, new Map());
      kernel.hostLock(name, () => {
        order.push(number);
        kernel.close();
        if (order.length === 100) resolve();
      });
    }
  });
  t.is(order.length, 100);
  t.is(new Set(order).size, 100);
});
