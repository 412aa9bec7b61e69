import { parsePrefix } from '../../lb/ip.ts';
import type { BlackholePort } from '../../lb/ports.ts';
import { err, ok } from '../../lb/result.ts';
import type { IpStack } from '../net/stack.ts';
import type { Process } from '../process.ts';

/** Black holes of a node's stack, as one process may change them; they outlive it. */
export function blackholesOf(stack: IpStack, process: Process): BlackholePort {
  return {
    list: () => {
      process.operation();
      return stack.blackholes.map(({ prefix }) => prefix);
    },
    add: (prefix) => {
      process.operation();
      const parsed = parsePrefix(prefix);
      if (!parsed.ok) return err({ kind: 'EINVAL' });
      if (!stack.blackholes.some((one) => one.prefix === prefix)) {
        stack.blackholes = [...stack.blackholes, parsed.value];
      }
      return ok(undefined);
    },
    remove: (prefix) => {
      process.operation();
      stack.blackholes = stack.blackholes.filter((one) => one.prefix !== prefix);
      return ok(undefined);
    },
  };
}
