import type { KubeObject } from '../../kube/port.ts';
import type { Micros } from '../../lb/ports.ts';
import { ApiServer, type LoadFault } from '../api/server.ts';
import type { ActorTimings } from '../kube/actor.ts';
import { createActors, type Actors, type ControllerName } from '../kube/actors.ts';
import { World } from '../world.ts';

/** A control plane whose nodes are somebody else's. */
export interface ControlPlaneOptions {
  readonly seed?: bigint;
  /** Wall clock at the start, microseconds since the Unix epoch. */
  readonly epoch?: Micros;
  /** Loaded before anything starts. */
  readonly objects?: readonly KubeObject[];
  readonly serviceCidrs?: readonly string[];
  /** Nodes that bring no podCIDRs get theirs from these. */
  readonly clusterCidrs?: readonly string[];
  /** The built-in controllers that run; all unless given. */
  readonly controllers?: readonly ControllerName[];
  readonly timings?: Partial<ActorTimings>;
}

/**
 * API server and Kubernetes' own controllers without machines: Nodes, their Leases and the lives
 * of their pods are written by real kubelets, or by whatever plays them (interface.md 4.10).
 */
export class ControlPlane {
  readonly world: World;
  readonly api: ApiServer;
  readonly actors: Actors;
  /** Objects that were refused. */
  readonly faults: readonly LoadFault[];

  constructor(options: ControlPlaneOptions = {}) {
    const { seed = 0n, epoch, objects = [], serviceCidrs, timings, controllers } = options;
    this.world = new World({ seed, ...(epoch !== undefined && { epoch }) });
    this.api = new ApiServer(this.world, { ...(serviceCidrs !== undefined && { serviceCidrs }) });
    this.faults = this.api.load(objects);
    this.actors = createActors(this.world, this.api, {
      runtimes: [],
      clusterCidrs: options.clusterCidrs ?? ['10.244.0.0/16', 'fd00:244::/56'],
      ...(controllers !== undefined && { controllers }),
      ...(timings !== undefined && { timings }),
    });
  }

  /** Starts the controllers. */
  start(): void {
    this.actors.start();
  }
}
