/** Service rules that kube-proxy left, by the means that they are of. */
export interface KubeProxyRules {
  /** Lines of iptables-save: its chains, and rules in them or to them. */
  readonly iptables: number;
  readonly ip6tables: number;
  /** Chains of its nftables tables. */
  readonly nft: number;
  /** Virtual servers, and the device that holds their addresses. */
  readonly ipvs: number;
}

/** All of them. */
export function ruleCount({ iptables, ip6tables, nft, ipvs }: KubeProxyRules): number {
  return iptables + ip6tables + nft + ipvs;
}

// The kubelet makes these wherever it runs, and they serve nothing.
const kubelets = ['KUBE-IPTABLES-HINT', 'KUBE-KUBELET-CANARY', 'KUBE-FIREWALL'];

/** The lines of iptables-save that are kube-proxy's. */
export function kubeProxyLines(save: string): string[] {
  return save.split('\n').filter((line) => chainsIn(line).length > 0);
}

function chainsIn(line: string): string[] {
  const declared = /^:(KUBE-\S+) /u.exec(line);
  const names = declared === null
    ? [...line.matchAll(/(?<=^-A |-[jg] )KUBE-\S+/gu)].map(([name]) => name)
    : [declared[1] ?? ''];
  return names.filter((name) => !kubelets.includes(name));
}

/**
 * What `iptables-restore --noflush` is to read so that kube-proxy's chains go and everything else
 * stays, table by table and each at once; empty where there is nothing. Jumps go first, then the
 * rules of the chains, then the chains, because one that is in use cannot go.
 */
export function removalInput(save: string): string {
  let input = '';
  for (const table of save.split(/^(?=\*)/mu)) {
    const lines = kubeProxyLines(table);
    if (lines.length === 0) continue;
    const chains = lines.filter((line) => line.startsWith(':')).flatMap(chainsIn);
    const jumps = lines.filter((line) => /^-A (?!KUBE-)/u.test(line));
    input += [
      table.slice(0, table.indexOf('\n')),
      ...jumps.map((line) => line.replace(/^-A/u, '-D')),
      ...chains.map((chain) => `-F ${chain}`),
      ...chains.map((chain) => `-X ${chain}`),
      'COMMIT\n',
    ].join('\n');
  }
  return input;
}
