import type { Service } from './model.ts';
import type { ObjectEvent } from './ports.ts';

/** A health check node port that this node cannot answer. */
export interface HealthcheckRefusal {
  readonly nodeName: string;
  readonly port: number;
  /** `192.0.2.11: EADDRINUSE`. */
  readonly why: string;
}

/** The Event about it, with kube-proxy's reason (datapath.md 14.3). */
export function healthcheckRefused(
  { meta }: Pick<Service, 'meta'>, { nodeName, port, why }: HealthcheckRefusal,
): ObjectEvent {
  const { namespace, name, uid } = meta;
  return {
    object: { apiVersion: 'v1', kind: 'Service', namespace, name, uid },
    type: 'Warning',
    reason: 'FailedToStartServiceHealthcheck',
    message: `Node ${nodeName} cannot answer health checks on port ${port} (${why}). `
      + 'Load balancers take it for a node without endpoints. Free the port, or recreate the '
      + 'Service.',
  };
}
