import { count, fact, oneOf, text, type Setting } from './setting.ts';

/** Settings of bgp.md 2.6. */
export const bgpSettings: readonly Setting[] = [
  {
    key: 'bgp.enabled', schema: fact, usual: true, reload: 'restart',
    aliases: ['enable-bgp-control-plane'], about: 'BGP, and addresses for Services of its class',
  },
  {
    key: 'bgp.statusReport', schema: fact, usual: true, reload: 'restart',
    aliases: ['enable-bgp-control-plane-status-report'],
    about: 'conditions and statuses of BGP objects',
  },
  {
    key: 'bgp.secretsNamespace', schema: text, usual: 'kube-system', reload: 'restart',
    aliases: ['bgp-secrets-namespace'], about: 'the only namespace whose Secrets are read',
  },
  {
    key: 'bgp.routerIDAllocation.mode', of: 'controller', schema: oneOf('default', 'ip-pool'),
    usual: 'default', reload: 'restart', aliases: ['bgp-router-id-allocation-mode'],
    about: 'where router IDs come from when no override names one',
  },
  {
    key: 'bgp.routerIDAllocation.ipPool', of: 'controller', schema: text, reload: 'restart',
    aliases: ['bgp-router-id-allocation-ip-pool'], about: 'IPv4 prefix of router IDs; mode ip-pool',
  },
  {
    key: 'bgp.noServiceEndpointsRoutable', of: 'agent', schema: fact, usual: true,
    reload: 'restart', aliases: ['enable-no-service-endpoints-routable'],
    about: 'Services of policy Cluster stay announced without endpoints',
  },
  {
    key: 'bgp.legacyOriginAttribute', of: 'agent', schema: fact, usual: false, reload: 'restart',
    aliases: ['enable-bgp-legacy-origin-attribute'],
    about: 'ORIGIN INCOMPLETE for addresses of load balancers',
  },
  {
    key: 'bgp.localEndpoints', of: 'agent', schema: oneOf('ready', 'serving'), usual: 'ready',
    reload: 'restart', about: 'serving: endpoints that end and still serve count too',
  },
  {
    key: 'bgp.honourExcludeLabel', of: 'agent', schema: fact, usual: false, reload: 'restart',
    about: 'nodes excluded from external load balancers announce no LoadBalancerIP',
  },
  {
    key: 'bgp.honourNetworkUnavailable', of: 'agent', schema: fact, usual: true,
    reload: 'restart', about: 'nodes with NetworkUnavailable announce no Service',
  },
  {
    key: 'bgp.connectRetryCapSeconds', of: 'agent', schema: count(0, 65_535), usual: 5,
    reload: 'restart', about: 'longest connect retry given to the speaker; 0 is no cap',
  },
  {
    key: 'bgp.deferralSeconds', of: 'agent', schema: count(1, 15), usual: 5, reload: 'restart',
    about: 'selection deferral of graceful restart',
  },
  {
    key: 'bgp.onTerminate', of: 'agent', schema: oneOf('auto', 'keep', 'withdraw'), usual: 'auto',
    reload: 'restart', about: 'what an ending agent does with its sessions',
  },
  {
    key: 'bgp.drainSeconds', of: 'agent', schema: count(0, 60), usual: 5, reload: 'restart',
    about: 'from the last withdraw to the close of a session',
  },
  {
    key: 'bgp.speaker.mode', of: 'agent', schema: oneOf('supervised', 'external'),
    usual: 'supervised', reload: 'restart', about: 'who runs the BGP daemon',
  },
  {
    key: 'bgp.speaker.command', of: 'agent', schema: text, usual: 'gobgpd', reload: 'restart',
    about: 'program of the BGP daemon',
  },
  {
    key: 'bgp.speaker.directory', of: 'agent', schema: text, usual: '/run/fairlead/bgp',
    reload: 'restart', about: 'folder of its sockets and logs',
  },
  {
    key: 'bgp.speaker.endpoints', of: 'agent',
    schema: { type: 'object', additionalProperties: text }, reload: 'restart',
    about: 'instance to unix:PATH or loopback HOST:PORT; mode external',
  },
];
