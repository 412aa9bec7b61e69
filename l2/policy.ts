import { RE2JS } from 're2js';
import type { Fault, L2Policy } from '../lb/model.ts';
import { compileSelector, type Matcher } from '../lb/selector.ts';
import { err, ok, type Result } from '../lb/result.ts';

/** A policy whose selectors and expressions compiled. */
export interface CompiledPolicy {
  readonly name: string;
  readonly uid: string;
  readonly matchesNode: Matcher;
  /** Sees the Service's labels plus its namespace and name (P3). */
  readonly matchesService: Matcher;
  /** True for a device name that one of the expressions finds; without expressions, every one. */
  readonly matchesInterface: (name: string) => boolean;
  readonly externalIps: boolean;
  readonly loadBalancerIps: boolean;
}

/** Condition types that tell of a policy's own text (l2.md 2.1). */
export type PolicyFaultType =
  | 'io.cilium/bad-node-selector'
  | 'io.cilium/bad-service-selector'
  | 'io.cilium/bad-interface-regex';

/** Each type at most once, with the first fault of that kind; other fields have no type. */
export type PolicyFaults = ReadonlyMap<PolicyFaultType, string>;

/** Compiles one policy, or says everything that is wrong with it. Pure. */
export function compilePolicy(policy: L2Policy): Result<CompiledPolicy, PolicyFaults> {
  const faults = new Map<PolicyFaultType, string>();
  const blame = (type: PolicyFaultType, fault: Fault): void => {
    if (!faults.has(type)) faults.set(type, `${fault.path}: ${fault.message}`);
  };
  // A fault of another field has no condition type, and its Event names it; the policy that would
  // read it as unset announces less than its author meant, so it does not compile either.
  let readable = true;
  for (const fault of policy.faults) {
    const type = faultTypeOf(fault.path);
    if (type !== undefined) blame(type, fault);
    if (/^spec\b/u.test(fault.path)) readable = false;
  }
  const node = compileSelector(policy.nodeSelector);
  if (!node.ok) blame('io.cilium/bad-node-selector', below('spec.nodeSelector', node.error));
  const service = compileSelector(policy.serviceSelector);
  if (!service.ok) {
    blame('io.cilium/bad-service-selector', below('spec.serviceSelector', service.error));
  }
  const expressions: RE2JS[] = [];
  for (const [index, text] of policy.interfaces.entries()) {
    const compiled = compileExpression(text);
    const path = `spec.interfaces[${index}]`;
    if (compiled.ok) expressions.push(compiled.value);
    else blame('io.cilium/bad-interface-regex', { path, message: `'${text}': ${compiled.error}` });
  }
  if (!node.ok || !service.ok || !readable || faults.size > 0) return err(faults);
  const every = policy.interfaces.length === 0;
  return ok({
    name: policy.meta.name,
    uid: policy.meta.uid,
    matchesNode: node.value,
    matchesService: service.value,
    matchesInterface: every ? () => true : remembered(
      (name) => expressions.some((one) => one.matcher(name).find()),
    ),
    externalIps: policy.externalIps,
    loadBalancerIps: policy.loadBalancerIps,
  });
}

// Device names are few and asked for with every candidacy, expressions are slow.
function remembered(test: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    if (known.size >= 1000) known.clear();
    const fresh = test(name);
    known.set(name, fresh);
    return fresh;
  };
}

/** One RE2 expression, or RE2's sentence about it. */
export function compileExpression(text: string): Result<RE2JS, string> {
  try {
    return ok(RE2JS.compile(text));
  } catch (thrown) {
    // The library reports a bad expression by throwing; it is input here and not a bug.
    return err(thrown instanceof Error ? thrown.message : 'not an RE2 expression');
  }
}

interface Entry {
  readonly uid: string;
  /** Everything that compilation reads, to tell an edit from a write of the status. */
  readonly text: string;
  readonly policy: CompiledPolicy | undefined;
  readonly faults: PolicyFaults;
}

/**
 * The policies in force: an edit that does not compile leaves the last valid generation standing
 * (l2.md 2.1); one that never compiled selects nothing.
 */
export class PolicyBook {
  #entries = new Map<string, Entry>();
  #compile: typeof compilePolicy;

  /** `compile`: `compilePolicy`, or a memo of it. */
  constructor(compile: typeof compilePolicy = compilePolicy) {
    this.#compile = compile;
  }

  /** Takes one row of the table in; undefined removes it. True when what is in force may differ. */
  set(name: string, policy: L2Policy | undefined): boolean {
    if (policy === undefined) return this.#entries.delete(name);
    const before = this.#entries.get(name);
    const { uid } = policy.meta;
    const {
      nodeSelector, serviceSelector, interfaces, externalIps, loadBalancerIps, faults,
    } = policy;
    // Statuses and labels change too, and must not cost a look at every Service.
    const text = JSON.stringify(
      [uid, nodeSelector, serviceSelector, interfaces, externalIps, loadBalancerIps, faults],
    );
    if (before?.text === text) return false;
    const compiled = this.#compile(policy);
    const kept = before?.uid === uid ? before.policy : undefined;
    this.#entries.set(name, {
      uid,
      text,
      policy: compiled.ok ? compiled.value : kept,
      faults: compiled.ok ? new Map() : compiled.error,
    });
    return compiled.ok || before?.uid !== uid;
  }

  get(name: string): CompiledPolicy | undefined {
    return this.#entries.get(name)?.policy;
  }

  faults(name: string): PolicyFaults {
    return this.#entries.get(name)?.faults ?? new Map();
  }

  /** In force, by name. */
  all(): CompiledPolicy[] {
    const policies: CompiledPolicy[] = [];
    for (const name of [...this.#entries.keys()].sort((a, b) => (a < b ? -1 : 1))) {
      const policy = this.get(name);
      if (policy !== undefined) policies.push(policy);
    }
    return policies;
  }
}

function below(path: string, error: { readonly path: string; readonly message: string }): Fault {
  return { path: `${path}.${error.path}`, message: error.message };
}

function faultTypeOf(path: string): PolicyFaultType | undefined {
  if (path.startsWith('spec.nodeSelector')) return 'io.cilium/bad-node-selector';
  if (path.startsWith('spec.serviceSelector')) return 'io.cilium/bad-service-selector';
  if (path.startsWith('spec.interfaces')) return 'io.cilium/bad-interface-regex';
  return undefined;
}
