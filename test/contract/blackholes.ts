import anyTest from 'ava';
import type { Prefix } from '../../lb/ip.ts';
import type { BlackholePort } from '../../lb/ports.ts';

export interface BlackholeContract {
  /** Begins every title. */
  readonly name: string;
  readonly skip?: boolean;
  /** Makes a port without any black hole, gives it to `body`, and takes it away. */
  with(body: (port: BlackholePort) => void): Promise<void>;
}

const prefixes = ['198.51.100.0/24', '203.0.113.64/26', '2001:db8:100::/112'] as Prefix[];

/** What every `BlackholePort` does, whoever stands behind it. */
export function blackholeContract(contract: BlackholeContract): void {
  const test = contract.skip === true ? anyTest.skip : anyTest.serial;
  test(`${contract.name}: what is added is listed until it is removed`, (t) => contract.with(
    (port) => {
      t.deepEqual(port.list(), []);
      for (const prefix of prefixes) t.true(port.add(prefix).ok, prefix);
      t.deepEqual([...port.list()].sort(), [...prefixes].sort());
      for (const prefix of prefixes) t.true(port.remove(prefix).ok, prefix);
      t.deepEqual(port.list(), []);
    },
  ));
  test(`${contract.name}: adding and removing twice succeeds`, (t) => contract.with((port) => {
    for (const prefix of prefixes) {
      t.true(port.add(prefix).ok);
      t.true(port.add(prefix).ok);
    }
    t.is(port.list().length, prefixes.length);
    for (const prefix of prefixes) {
      t.true(port.remove(prefix).ok);
      t.true(port.remove(prefix).ok);
    }
    t.deepEqual(port.list(), []);
  }));
}
