import { ApiFront } from '../api/http/front.ts';
import { ControlPlane, type ControlPlaneOptions } from './controlplane.ts';
import { LiveDriver } from './driver.real.ts';
import { serveApi, type ListenOptions, type ServedApi } from './http.real.ts';
import { LiveWorld } from './live.ts';

/** A control plane that answers on a socket, in real time. */
export interface ServedControlPlane extends ServedApi {
  readonly plane: ControlPlane;
  readonly driver: LiveDriver;
}

/**
 * Starts a control plane without simulated nodes and serves its API: what real agents and kubelets
 * of a lab talk to. Its wall clock is the host's at the start unless `epoch` says otherwise.
 */
export async function serveControlPlane(
  options: ControlPlaneOptions & ListenOptions & { readonly kubernetes?: string } = {},
): Promise<ServedControlPlane> {
  const plane = new ControlPlane({ epoch: Date.now() * 1000, ...options });
  const live = new LiveWorld(plane.world, LiveDriver.now());
  const driver = new LiveDriver(live);
  const { kubernetes } = options;
  const front = new ApiFront(plane.world, plane.api, {
    frozen: () => live.frozen,
    ...(kubernetes !== undefined && { kubernetes }),
  });
  plane.start();
  const served = await serveApi(driver, front, options);
  return { ...served, plane, driver };
}
