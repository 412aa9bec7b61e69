import { assert } from '../lb/result.ts';

/** One kind as the API server names it. */
export interface Resource {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

function resource(groupVersion: string, names: string, namespaced = true): Resource {
  const [group, version] = groupVersion.split('/');
  const [plural, kind] = names.split(' ');
  assert(group !== undefined && version !== undefined, `'${groupVersion}' is group/version`);
  assert(plural !== undefined && kind !== undefined, `'${names}' is plural and kind`);
  return { group, version, plural, kind, namespaced };
}

/** The kinds that fairlead reads or writes, and those that its simulator keeps. */
export const resources = {
  services: resource('/v1', 'services Service'),
  nodes: resource('/v1', 'nodes Node', false),
  pods: resource('/v1', 'pods Pod'),
  namespaces: resource('/v1', 'namespaces Namespace', false),
  secrets: resource('/v1', 'secrets Secret'),
  configMaps: resource('/v1', 'configmaps ConfigMap'),
  serviceAccounts: resource('/v1', 'serviceaccounts ServiceAccount'),
  events: resource('/v1', 'events Event'),
  endpointSlices: resource('discovery.k8s.io/v1', 'endpointslices EndpointSlice'),
  serviceCidrs: resource('networking.k8s.io/v1', 'servicecidrs ServiceCIDR', false),
  leases: resource('coordination.k8s.io/v1', 'leases Lease'),
  deployments: resource('apps/v1', 'deployments Deployment'),
  replicaSets: resource('apps/v1', 'replicasets ReplicaSet'),
  daemonSets: resource('apps/v1', 'daemonsets DaemonSet'),
  statefulSets: resource('apps/v1', 'statefulsets StatefulSet'),
  disruptionBudgets: resource('policy/v1', 'poddisruptionbudgets PodDisruptionBudget'),
  roles: resource('rbac.authorization.k8s.io/v1', 'roles Role'),
  roleBindings: resource('rbac.authorization.k8s.io/v1', 'rolebindings RoleBinding'),
  clusterRoles: resource('rbac.authorization.k8s.io/v1', 'clusterroles ClusterRole', false),
  clusterRoleBindings: resource(
    'rbac.authorization.k8s.io/v1',
    'clusterrolebindings ClusterRoleBinding',
    false,
  ),
  flowSchemas: resource('flowcontrol.apiserver.k8s.io/v1', 'flowschemas FlowSchema', false),
  definitions: resource(
    'apiextensions.k8s.io/v1',
    'customresourcedefinitions CustomResourceDefinition',
    false,
  ),
  pools: resource('cilium.io/v2', 'ciliumloadbalancerippools CiliumLoadBalancerIPPool', false),
  l2Policies: resource(
    'cilium.io/v2alpha1',
    'ciliuml2announcementpolicies CiliumL2AnnouncementPolicy',
    false,
  ),
  bgpClusterConfigs: resource(
    'cilium.io/v2',
    'ciliumbgpclusterconfigs CiliumBGPClusterConfig',
    false,
  ),
  bgpPeerConfigs: resource('cilium.io/v2', 'ciliumbgppeerconfigs CiliumBGPPeerConfig', false),
  bgpAdvertisements: resource(
    'cilium.io/v2',
    'ciliumbgpadvertisements CiliumBGPAdvertisement',
    false,
  ),
  bgpNodeConfigs: resource('cilium.io/v2', 'ciliumbgpnodeconfigs CiliumBGPNodeConfig', false),
  bgpNodeConfigOverrides: resource(
    'cilium.io/v2',
    'ciliumbgpnodeconfigoverrides CiliumBGPNodeConfigOverride',
    false,
  ),
  bgpPeeringPolicies: resource(
    'cilium.io/v2alpha1',
    'ciliumbgppeeringpolicies CiliumBGPPeeringPolicy',
    false,
  ),
} as const satisfies Record<string, Resource>;

/** Kinds of Cilium's own that are read where a cluster has them, and never written. */
export const ciliumResources = {
  nodes: resource('cilium.io/v2', 'ciliumnodes CiliumNode', false),
  podIpPools: resource('cilium.io/v2alpha1', 'ciliumpodippools CiliumPodIPPool', false),
} as const satisfies Record<string, Resource>;

/** `cilium.io/v2`, or `v1` for the core group. */
export function apiVersion(of: Resource): string {
  return of.group === '' ? of.version : `${of.group}/${of.version}`;
}

/** The resource of an object by its kind and group, whatever version the manifest names. */
export function resourceOf(apiVersionText: string, kind: string): Resource | undefined {
  const group = apiVersionText.slice(0, Math.max(0, apiVersionText.indexOf('/')));
  return Object.values(resources).find((of) => of.kind === kind && of.group === group);
}
