import { existsSync, readFileSync } from 'node:fs';
import { err, ok, type Result } from '../lb/result.ts';
import { kubeProxyLines, removalInput, type KubeProxyRules } from './kubeproxy.ts';
import { runTool } from './tool.real.ts';

const families = ['ip', 'ip6'] as const;

/**
 * What kube-proxy left in this network namespace. A tool that is not installed finds nothing, as
 * does one without the privilege to look.
 */
export function readKubeProxyRules(): KubeProxyRules {
  return {
    iptables: kubeProxyLines(runTool('iptables-save', []).out).length,
    ip6tables: kubeProxyLines(runTool('ip6tables-save', []).out).length,
    nft: families.flatMap((family) => (
      runTool('nft', ['list', 'table', family, 'kube-proxy']).out.match(/^\tchain /gmu) ?? []
    )).length,
    ipvs: virtualServers() + Number(existsSync(`/sys/class/net/${ipvsDevice}`)),
  };
}

/** The device that kube-proxy puts Service addresses on in its IPVS mode. */
const ipvsDevice = 'kube-ipvs0';

// Lines of /proc/net/ip_vs that begin with a protocol (net/netfilter/ipvs/ip_vs_ctl.c).
function virtualServers(): number {
  if (!existsSync('/proc/net/ip_vs')) return 0;
  return readFileSync('/proc/net/ip_vs', 'utf8').match(/^(?:TCP|UDP|SCTP) /gmu)?.length ?? 0;
}

interface Step {
  readonly tool: string;
  readonly words: readonly string[];
  readonly input?: string;
}

/** Takes them away; what others have written stays. The error is a sentence of the tool. */
export function removeKubeProxyRules(): Result<void, string> {
  const before = readKubeProxyRules();
  const steps: readonly Step[] = [
    ...families.filter((family) => (
      runTool('nft', ['list', 'tables']).out.includes(`table ${family} kube-proxy\n`)
    )).map((family) => ({ tool: 'nft', words: ['delete', 'table', family, 'kube-proxy'] })),
    ...(['iptables', 'ip6tables'] as const).filter((tool) => before[tool] > 0).map((tool) => ({
      tool: `${tool}-restore`, words: ['--noflush'],
      input: removalInput(runTool(`${tool}-save`, []).out),
    })),
    ...(virtualServers() > 0 ? [{ tool: 'ipvsadm', words: ['--clear'] }] : []),
    ...(existsSync(`/sys/class/net/${ipvsDevice}`)
      ? [{ tool: 'ip', words: ['link', 'delete', ipvsDevice] }] : []),
  ];
  for (const { tool, words, input } of steps) {
    const { failure } = runTool(tool, words, input);
    if (failure !== undefined) return err(`${tool} ${words.join(' ')}: ${failure}`);
  }
  return ok(undefined);
}
