/** A rule of iptables, in the words of iptables-save. */
interface Rule {
  readonly chain: string;
  readonly target: string;
  /** Everything else that it says. */
  readonly match: string;
}

/** Chains of chains are as deep as their owners make them; nobody needs more than this. */
const jumpsMax = 8;

// Bridges of Docker and Podman: what they accept there is no pod of Kubernetes.
const otherDevices = /-[io] (?:docker|br-|podman|lxdbr|virbr)/u;

/**
 * Whether the FORWARD chain of rule sets that iptables-save wrote, of either family, drops what
 * begins a flow between pods: its policy is DROP, and no rule accepts but for replies or for
 * devices of others. Packets to local endpoints go through that chain and remote ones do not
 * (datapath.md 14.1, 17).
 */
export function forwardClosed(saved: string): boolean {
  const filters = saved.matchAll(/^\*filter\n([\s\S]*?)^COMMIT/gmu);
  return [...filters].some(([, filter = '']) => dropsPods(filter));
}

function dropsPods(filter: string): boolean {
  if (!/^:FORWARD DROP /mu.test(filter)) return false;
  const rules = filter.split('\n').flatMap((line): Rule[] => {
    const [, chain, match = '', target] = /^-A (\S+)(.*?) -[jg] (\S+)/u.exec(line) ?? [];
    return chain === undefined || target === undefined ? [] : [{ chain, target, match }];
  });
  return !accepts(rules, 'FORWARD', jumpsMax);
}

function accepts(rules: readonly Rule[], chain: string, jumps: number): boolean {
  if (jumps === 0) return false;
  return rules.some((rule) => {
    if (rule.chain !== chain || !beginsFlows(rule) || otherDevices.test(rule.match)) return false;
    return rule.target === 'ACCEPT' || accepts(rules, rule.target, jumps - 1);
  });
}

/** False for a rule about packets of flows that others let begin. */
function beginsFlows({ match }: Rule): boolean {
  const [, states] = /--(?:ct)?state (\S+)/u.exec(match) ?? [];
  return states === undefined || states.split(',').includes('NEW');
}
