import { serviceKey, type EndpointSlice, type Service } from '../../../lb/model.ts';
import { endpoint, ingressEntry, meta, service, slice } from '../../datapath/fixture.ts';
import type { BenchService } from './services.ts';

export interface ModelSettings {
  /** Whether endpoints are pods of the node itself. */
  readonly local?: boolean;
  /** A second front beside the ClusterIP. */
  readonly vip?: boolean;
}

/** The Service and its one slice, as the decoder would give them. */
export function modelOf(
  { name, clusterIp, port, endpoints }: BenchService, { local = true, vip = false }: ModelSettings,
): { readonly model: Service; readonly slice: EndpointSlice } {
  const key = serviceKey('bench', name);
  const numbers = new Set(endpoints.map((of) => of.port));
  if (numbers.size > 1) throw new Error(`the endpoints of ${name} have more than one port`);
  const [number = 0] = numbers;
  const model = service({
    meta: meta(name, { namespace: 'bench' }), key, type: vip ? 'LoadBalancer' : 'ClusterIP',
    clusterIps: [clusterIp], externalIps: [],
    ports: [{ name: 'web', protocol: 'TCP', port, nodePort: 0 }],
    ingress: vip ? [ingressEntry(vipOf(clusterIp))] : [],
  });
  const pods = endpoints.map((of) => endpoint(of.ip, { nodeName: local ? 'n-a' : 'n-b' }));
  return {
    model,
    slice: slice(pods, {
      meta: meta(`${name}-1`, { namespace: 'bench' }), service: key,
      ports: [{ name: 'web', protocol: 'TCP', port: number }],
    }),
  };
}

// 10.20x.y.z gives 172.2x.y.z: one for one, and outside of all other ranges.
function vipOf(clusterIp: string): string {
  return clusterIp.replace(/^10\.20/u, '172.2');
}
