/** Something that programs or agent want of the kernel (datapath.md 16). */
export interface Feature {
  readonly name: FeatureName;
  /** Linux version that brought it. */
  readonly since: string;
  /** What happens without it. */
  readonly effect: string;
  /** What a newer kernel does instead; default: it has the feature. */
  readonly gain?: string;
  /** True where nothing works without it: the agent refuses to start. */
  readonly required: boolean;
}

export type FeatureName =
  | 'tcx' | 'set-retval' | 'loop' | 'netns-cookie' | 'check-mtu' | 'ktime-coarse'
  | 'csum-ipv6' | 'redirect-neigh' | 'ring-buffer' | 'getpeername' | 'link' | 'batch';

/** Features with what their absence means, newest first. */
export const features: readonly Feature[] = [
  {
    name: 'csum-ipv6', since: '6.16', required: false,
    effect: 'translated IPv6 packets that a card has summed may count as damaged',
    gain: 'keeps their sums right',
  },
  {
    name: 'tcx', since: '6.6', required: false,
    effect: 'clsact filters take the place of TCX links',
  },
  {
    name: 'set-retval', since: '5.18', required: false,
    effect: 'refused connections show EPERM', gain: 'shows ECONNREFUSED',
  },
  {
    name: 'loop', since: '5.17', required: false,
    effect: 'a free SNAT port is looked for 16 times', gain: 'looks 128 times',
  },
  {
    name: 'netns-cookie', since: '5.14', required: false,
    effect: 'the cookie of a namespace is learnt by a connect probe inside it',
  },
  {
    name: 'check-mtu', since: '5.12', required: false,
    effect: 'packets that do not fit the egress device are dropped without a too-big answer',
  },
  {
    name: 'ktime-coarse', since: '5.11', required: false,
    effect: 'the exact clock is read for each packet, at a few nanoseconds more',
  },
  {
    name: 'redirect-neigh', since: '5.10', required: true,
    effect: 'remote endpoints cannot be reached',
  },
  {
    name: 'ring-buffer', since: '5.8', required: true,
    effect: 'events cannot be told',
  },
  {
    name: 'getpeername', since: '5.8', required: true,
    effect: 'programs would see the endpoint in place of the Service',
  },
  {
    name: 'link', since: '5.7', required: true,
    effect: 'programs cannot be exchanged without a gap',
  },
  {
    name: 'batch', since: '5.6', required: true,
    effect: 'tables cannot be written fast enough',
  },
];

const shownAs: Readonly<Record<FeatureName, string>> = {
  'csum-ipv6': 'BPF_F_IPV6 of bpf_l4_csum_replace', tcx: 'TCX links',
  'set-retval': 'bpf_set_retval', loop: 'bpf_loop',
  'netns-cookie': 'SO_NETNS_COOKIE', 'check-mtu': 'bpf_check_mtu',
  'ktime-coarse': 'bpf_ktime_get_coarse_ns', 'redirect-neigh': 'bpf_redirect_neigh',
  'ring-buffer': 'the BPF ring buffer', getpeername: 'getpeername hooks', link: 'bpf_link',
  batch: 'map batch calls',
};

/** One line: what is missing, what it means, what brings it. */
export function missingText({ name, effect, since, required, gain }: Feature): string {
  const end = gain ?? (required ? 'is needed' : 'has it');
  return `${shownAs[name]} missing: ${effect}; Linux ${since} or newer ${end}`;
}
