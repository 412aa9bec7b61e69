import type { Micros, Timer } from '../../lb/ports.ts';
import type { KubeObject } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { formatMicroTime, formatTime } from '../../lb/time.ts';
import { applyWrites, second, type ActorContext, type ActorWrite } from './actor.ts';
import { fields, items } from './fields.ts';
import type { NodeView } from './node.ts';
import { withCondition } from './podstatus.ts';

export interface HeartbeatOptions {
  readonly node: string;
  readonly reach: () => boolean;
  readonly runs: () => boolean;
  /** The API server can be reached again after a miss. */
  readonly back: () => void;
}

const leaseNamespace = 'kube-node-lease';
/** A kubelet that cannot renew tries again this often. */
const retryPeriod = second;

/** The life signs of one node: its Lease and its Ready condition. */
export class Heartbeat {
  #context: ActorContext;
  #options: HeartbeatOptions;
  #missed = false;
  #reported: Micros | undefined;
  #timer: Timer | undefined;

  constructor(context: ActorContext, options: HeartbeatOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** The first beat is at once, the second within a period, so that the nodes spread. */
  start(): void {
    this.#tell();
    const { leasePeriod } = this.#context.timings;
    this.#arm(
      this.#context.world.stream(`kube/kubelet/${this.#options.node}`).between(1, leasePeriod),
    );
  }

  /** True when a beat was due and could not be told. */
  get late(): boolean {
    return this.#missed;
  }

  beat(): void {
    const told = this.#tell();
    this.#arm(told || !this.#options.runs() ? this.#context.timings.leasePeriod : retryPeriod);
  }

  /** Something could not be told: when the API server is back, everything is looked at. */
  missed(): undefined {
    if (this.#missed) return undefined;
    this.#missed = true;
    this.#arm(retryPeriod);
    return undefined;
  }

  #arm(delay: Micros): void {
    this.#timer?.cancel();
    const what = { kind: 'kubelet.lease', entity: `kubelet/${this.#options.node}` };
    this.#timer = this.#context.world.schedule(delay, what, () => this.beat());
  }

  #tell(): boolean {
    if (!this.#options.reach()) {
      this.#missed = true;
      return false;
    }
    const node = this.#context.catalog.node(this.#options.node);
    if (node === undefined) return true;
    const writes = [this.#lease(node), ...this.#status(node)];
    const refusal = applyWrites(this.#context.api, `system:node:${node.name}`, writes);
    if (refusal !== undefined) return false;
    if (!this.#missed) return true;
    this.#missed = false;
    this.#options.back();
    return true;
  }

  #lease(node: NodeView): ActorWrite {
    const { api, world, timings } = this.#context;
    const renewTime = formatMicroTime(world.wall);
    const before = api.get(resources.leases, leaseNamespace, node.name);
    if (before !== undefined) {
      const body = { ...before, spec: { ...fields(before['spec']), renewTime } };
      return { verb: 'replace', resource: resources.leases, body };
    }
    const body: KubeObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        namespace: leaseNamespace,
        name: node.name,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.name, uid: node.uid }],
      },
      spec: {
        holderIdentity: node.name, leaseDurationSeconds: timings.leaseDurationSeconds, renewTime,
      },
    };
    return { verb: 'create', resource: resources.leases, body };
  }

  #status(node: NodeView): readonly ActorWrite[] {
    const { world, timings } = this.#context;
    const next = this.#reported === undefined ? 0 : this.#reported + timings.nodeStatusPeriod;
    if (world.now < next && node.ready === 'True') return [];
    this.#reported = world.now;
    return [{
      verb: 'replace', resource: resources.nodes, subresource: 'status',
      body: readyNode(node.object, formatTime(world.wall), this.#context.kubernetes),
    }];
  }
}

/** What a simulated machine says of itself; all of it is required text in the API. */
const machine = {
  architecture: 'amd64', bootID: '', containerRuntimeVersion: 'fairlead://sim',
  kernelVersion: '6.12.0-sim', kubeProxyVersion: '', machineID: '', operatingSystem: 'linux',
  osImage: 'fairlead simulator', systemUUID: '',
};

/** What a simulated machine has room for; only pods are counted. */
const room = { cpu: '4', 'ephemeral-storage': '64Gi', memory: '8Gi', pods: '110' };

function readyNode(object: KubeObject, stamp: string, kubernetes: string): KubeObject {
  const ready = {
    type: 'Ready', status: 'True', reason: 'KubeletReady',
    message: 'kubelet is posting ready status', lastHeartbeatTime: stamp,
  };
  const told = withCondition(object, ready, stamp);
  const status = fields(told['status']);
  const capacity = { ...room, ...fields(status['capacity']) };
  const allocatable = { ...room, ...fields(status['allocatable']) };
  const conditions = items(status['conditions']);
  const kubeletVersion = `v${kubernetes}.0`;
  const nodeInfo = { ...machine, kubeletVersion, ...fields(status['nodeInfo']) };
  return { ...told, status: { ...status, capacity, allocatable, conditions, nodeInfo } };
}
