import type { Ip } from '../lb/ip.ts';
import type { L2Policy, Service } from '../lb/model.ts';
import type { Result } from '../lb/result.ts';
import { compilePolicy, type CompiledPolicy, type PolicyFaults } from './policy.ts';
import { contributionsOf, inherentRefusal, type Contribution } from './selection.ts';

/** What one Service contributes: to each address a list of that one contribution. */
export type Contributed = ReadonlyMap<Ip, readonly [Contribution]>;

/** Lists of policies remembered at most; a cluster has a few, and one at a time. */
const listsMax = 32;

/**
 * What policies select of Services, by identity: a memo of pure functions, so the processes of one
 * world may share it. Equal inputs give the identical policies, lists and contributions, which
 * everything that follows from them may be remembered by.
 */
export class Selections {
  /** Of what contributes to no address. */
  readonly none: Contributed = new Map();
  #compiled = new WeakMap<L2Policy, Result<CompiledPolicy, PolicyFaults>>();
  #lists: (readonly CompiledPolicy[])[] = [];
  #contributed = new WeakMap<Service, Made>();

  compile(policy: L2Policy): Result<CompiledPolicy, PolicyFaults> {
    const known = this.#compiled.get(policy);
    if (known !== undefined) return known;
    const compiled = compilePolicy(policy);
    this.#compiled.set(policy, compiled);
    return compiled;
  }

  /** The list with these policies in this order. */
  list(policies: readonly CompiledPolicy[]): readonly CompiledPolicy[] {
    const known = this.#lists.find((list) => sameList(list, policies));
    if (known !== undefined) return known;
    if (this.#lists.length >= listsMax) this.#lists.shift();
    this.#lists.push(policies);
    return policies;
  }

  /** P1 to P4 for a Service under the policies of one `list`. */
  of(service: Service, policies: readonly CompiledPolicy[]): Contributed {
    const known = this.#contributed.get(service);
    if (known?.policies === policies) return known.contributed;
    const selected = contributionsOf(service, policies);
    const contributed: Contributed = selected.size === 0 ? this.none : new Map(
      [...selected].map(([ip, chosen]) => [
        ip, [{ service, policies: this.list(chosen), refused: inherentRefusal(ip) }],
      ]),
    );
    this.#contributed.set(service, { policies, contributed });
    return contributed;
  }
}

interface Made {
  readonly policies: readonly CompiledPolicy[];
  readonly contributed: Contributed;
}

function sameList(left: readonly CompiledPolicy[], right: readonly CompiledPolicy[]): boolean {
  return left.length === right.length && left.every((policy, index) => policy === right[index]);
}
