import { iptablesChange, iptablesRules } from './iptables.ts';
import { nftablesChange, nftablesRules } from './nftables.ts';
import type { BenchService } from './services.ts';
import { timeTool, toolPath, type ToolTime } from './tools.ts';

/** How one of the rivals gets its rules into the kernel. */
export interface RuleSet {
  readonly name: string;
  /** The programs that it needs. */
  readonly tools: readonly string[];
  /** Fresh tables in the namespace `netns`. */
  install(netns: string, services: readonly BenchService[]): ToolTime;
  /** One Service from `before` to `after`. */
  change(netns: string, before: BenchService, after: BenchService): ToolTime;
}

/** Nothing: what starting the program costs by itself is subtracted (datapath.md 19). */
const empty = { nft: '', iptables: '*filter\nCOMMIT\n' } as const;

const longestMs = 120_000;

export const nftables: RuleSet = {
  name: 'nftables',
  tools: ['nft', 'ip', 'nsenter', 'bash'],
  install: (netns, services) => timed('nft -f -', netns, {
    rules: nftablesRules(services), empty: empty.nft,
  }),
  change: (netns, before, after) => timed('nft -f -', netns, {
    rules: nftablesChange(before, after), empty: empty.nft,
  }),
};

// The older back end is by far the quicker one with many rules, so it is the rival where it exists.
const restore = toolPath('iptables-legacy-restore') === undefined
  ? 'iptables-restore' : 'iptables-legacy-restore';

export const iptables: RuleSet = {
  name: 'iptables',
  tools: [restore, 'ip', 'nsenter', 'bash'],
  install: (netns, services) => timed(restore, netns, {
    rules: iptablesRules(services), empty: empty.iptables,
  }),
  change: (netns, _before, after) => timed(`${restore} --noflush`, netns, {
    rules: iptablesChange(after), empty: empty.iptables,
  }),
};

interface Inputs {
  readonly rules: string;
  readonly empty: string;
}

function timed(command: string, netns: string, inputs: Inputs): ToolTime {
  const [full, start] = [inputs.rules, inputs.empty].map(
    (input) => timeTool(command, { input, netns, timeoutMs: longestMs }),
  );
  const beyond = (of: keyof ToolTime): number => (
    Math.max((full?.[of] ?? 0) - (start?.[of] ?? 0), 0)
  );
  return { cpu: beyond('cpu'), wall: beyond('wall') };
}
