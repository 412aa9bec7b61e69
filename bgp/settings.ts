/** How a router ID comes about where no override names one (bgp.md 2.4). */
export type RouterIdMode = 'default' | 'ip-pool';

/** Settings `bgp.*` (bgp.md 2.6). */
export interface BgpSettings {
  readonly enabled: boolean;
  /** False: our conditions go, and no status is written. */
  readonly statusReport: boolean;
  /** The only namespace whose Secrets are read. */
  readonly secretsNamespace: string;
  readonly routerIdMode: RouterIdMode;
  /** Prefix of the pool of router IDs; mode `ip-pool` only. */
  readonly routerIdPool: string | undefined;
  /** Cluster-policy Services without endpoints stay announced. */
  readonly noServiceEndpointsRoutable: boolean;
  /** ORIGIN INCOMPLETE for LoadBalancerIP. */
  readonly legacyOriginAttribute: boolean;
  /** `serving` also counts endpoints that serve while terminating. */
  readonly localEndpoints: 'ready' | 'serving';
  readonly honourExcludeLabel: boolean;
  readonly honourNetworkUnavailable: boolean;
  /** 0: no cap. */
  readonly connectRetryCapSeconds: number;
  /** Selection deferral given to the speaker, 1 to 15. */
  readonly deferralSeconds: number;
  readonly onTerminate: 'auto' | 'keep' | 'withdraw';
  /** From the last withdraw to the close of a session. */
  readonly drainSeconds: number;
}

/** How the speakers of a node come about (bgp.md 5.1). */
export interface SpeakerSettings {
  /** `external`: a speaker that the agent neither starts nor ends. */
  readonly mode: 'supervised' | 'external';
  /** The program of the daemon; mode `supervised`. */
  readonly command: string;
  /** Of sockets and logs, mode 0700. */
  readonly directory: string;
  /** By instance: `unix:PATH`, or a loopback `HOST:PORT`; mode `external`. */
  readonly endpoints: Readonly<Record<string, string>>;
}

export const speakerDefaults: SpeakerSettings = {
  mode: 'supervised', command: 'gobgpd', directory: '/run/fairlead/bgp', endpoints: {},
};

export const bgpDefaults: BgpSettings = {
  enabled: true, statusReport: true, secretsNamespace: 'kube-system', routerIdMode: 'default',
  routerIdPool: undefined, noServiceEndpointsRoutable: true, legacyOriginAttribute: false,
  localEndpoints: 'ready', honourExcludeLabel: false, honourNetworkUnavailable: true,
  connectRetryCapSeconds: 5, deferralSeconds: 5, onTerminate: 'auto', drainSeconds: 5,
};
