import type { Ip } from '../../lb/ip.ts';
import type { Micros, Timer } from '../../lb/ports.ts';
import { compareText } from '../../lb/table.ts';
import type { KubeError } from '../../kube/port.ts';
import { resources } from '../../kube/resource.ts';
import { formatTime } from '../../lb/time.ts';
import { applyWrites, second, type ActorContext, type ActorWrite } from './actor.ts';
import type { Step } from './catalog.ts';
import { Heartbeat } from './heartbeat.ts';
import { podFinished, type ContainerPort, type PodPhase, type PodView } from './pod.ts';
import { PodRange } from './podrange.ts';
import { reportedPod, restartsOf } from './podstatus.ts';
import { WorkQueue } from './workqueue.ts';

/** A pod as the machine runs it. */
export interface NodePod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** Of the node itself for a pod on the host network. */
  readonly ips: readonly Ip[];
  readonly hostNetwork: boolean;
  readonly ports: readonly ContainerPort[];
}

/** The machine below a kubelet. */
export interface NodeRuntime {
  readonly name: string;
  /** False while powered off or frozen: nothing of the kubelet runs then. */
  readonly running: boolean;
  /** Differs after each boot; pods of another boot are gone. Absent: pods survive all. */
  readonly bootId?: string;
  startPod(pod: NodePod): void;
  stopPod(uid: string): void;
}

/** Delay before the first, second, … restart of a container that exited; the last one repeats. */
const restartDelays: readonly Micros[] = [0, 10, 20, 40, 80, 160, 300].map((s) => s * second);

interface LocalPod {
  readonly uid: string;
  readonly key: string;
  readonly pod: NodePod;
  readonly hostNetwork: boolean;
  /** `exited`: stopped for good, to be told to the API. */
  state: 'starting' | 'unready' | 'ready' | 'crashed' | 'stopping' | 'exited';
  /** The state when stopping began: a terminating pod serves as it did before. */
  servedBefore: boolean;
  /** A readiness probe that fails although the container runs. */
  probeFails: boolean;
  finished: PodPhase | undefined;
  restarts: number;
  due: Micros;
  timer: Timer | undefined;
}

/**
 * The kubelet of one node: leases, node status and the lives of its pods. What it knows is local;
 * what it tells the API is compared with what stands there, so a cut is made up for afterwards.
 */
export class Kubelet {
  readonly name: string;
  #context: ActorContext;
  #runtime: NodeRuntime;
  #reach: () => boolean;
  #range = new PodRange();
  #local = new Map<string, LocalPod>();
  /** Uid of the latest pod of a key, to notice that a name changed hands. */
  #uidOf = new Map<string, string>();
  #queue: WorkQueue;
  #heartbeat: Heartbeat;
  #bootId: string | undefined;
  #writing = false;
  /** Something was not looked at because the machine stood still. */
  #behind = false;

  constructor(context: ActorContext, runtime: NodeRuntime, reach: () => boolean) {
    this.name = runtime.name;
    this.#context = context;
    this.#runtime = runtime;
    this.#bootId = runtime.bootId;
    this.#reach = () => runtime.running && reach();
    const { reaction } = context.timings;
    const name = `kubelet/${runtime.name}`;
    // A kubelet without the API server drops its work: it looks at everything when it is back.
    this.#queue = new WorkQueue(
      context, { name, reaction, reach: () => true }, (key) => this.#sync(key),
    );
    this.#heartbeat = new Heartbeat(context, {
      node: runtime.name, reach: this.#reach,
      runs: () => runtime.running, back: () => this.#syncAll(),
    });
  }

  /** Reserves the addresses of pods that exist, reports at once, then keeps the lease. */
  start(): void {
    this.#reserve();
    this.#heartbeat.start();
    this.#syncAll();
  }

  /** Looks at the machine now: it was powered, frozen or thawed, or its network changed. */
  wake(): void {
    if (!this.#runtime.running) return;
    const booted = this.#noticeBoot();
    for (const local of this.#sortedLocal()) {
      if (local.timer === undefined || local.due > this.#context.world.now) continue;
      this.#arm(local, 0);
    }
    if (booted || this.#behind) this.#syncAll();
    if (booted || this.#heartbeat.late) this.#heartbeat.beat();
  }

  podChanged(step: Step<PodView>): void {
    const { before, after } = step;
    const key = after?.key ?? before?.key ?? '';
    const unknown = before !== undefined && !this.#local.has(before.uid);
    if (after === undefined && unknown && !before.spec.hostNetwork) this.#range.release(before.ips);
    if (!this.#runtime.running) this.#behind = true;
    else if (!this.#writing) this.#queue.add(key);
  }

  /** The node's ranges may have come, or an address: pods may wait for them. */
  nodeChanged(): void {
    for (const pod of this.#context.catalog.podsOn(this.name)) {
      if (pod.phase === 'Pending' && !this.#local.has(pod.uid)) this.#queue.add(pod.key);
    }
  }

  /** Ends the container of a pod; it restarts as its policy says. False where it does not run. */
  crash(uid: string): boolean {
    const local = this.#local.get(uid);
    if (local === undefined || (local.state !== 'ready' && local.state !== 'unready')) return false;
    const policy = this.#context.catalog.pod(local.key)?.spec.restartPolicy ?? 'Always';
    this.#runtime.stopPod(uid);
    if (policy === 'Never') {
      local.finished = 'Failed';
      local.state = 'exited';
    } else {
      local.state = 'crashed';
      this.#arm(local, restartDelays[Math.min(local.restarts, restartDelays.length - 1)] ?? 0);
      local.restarts += 1;
    }
    this.#queue.add(local.key);
    return true;
  }

  /** Lets the readiness probe of a pod fail or pass. */
  probe(uid: string, passes: boolean): void {
    const local = this.#local.get(uid);
    if (local === undefined || local.probeFails === !passes) return;
    local.probeFails = !passes;
    this.#queue.add(local.key);
  }

  /** Pods that will change by themselves soon, and reports to write; nothing while it is off. */
  pending(): string[] {
    if (!this.#runtime.running) return [];
    const changing = this.#sortedLocal('starting', 'unready', 'stopping');
    return [
      ...changing.map(
        (local) => `pod ${local.key} ${local.state === 'stopping' ? 'stopping' : 'starting'}`,
      ),
      ...this.#queue.pending().map((key) => `kubelet ${this.name} looks at ${key}`),
    ];
  }

  /** Pods that wait for the end of their restart delay. */
  waiting(): string[] {
    if (!this.#runtime.running) return [];
    return this.#sortedLocal('crashed').map((local) => `pod ${local.key} waits to restart`);
  }

  #syncAll(): void {
    this.#behind = false;
    for (const pod of this.#context.catalog.podsOn(this.name)) this.#queue.add(pod.key);
    for (const local of this.#sortedLocal()) this.#queue.add(local.key);
  }

  #sortedLocal(...states: LocalPod['state'][]): LocalPod[] {
    const chosen = [...this.#local.values()]
      .filter((local) => states.length === 0 || states.includes(local.state));
    return chosen.sort((left, right) => compareText(left.key, right.key));
  }

  #noticeBoot(): boolean {
    if (this.#runtime.bootId === this.#bootId) return false;
    this.#bootId = this.#runtime.bootId;
    for (const local of this.#local.values()) local.timer?.cancel();
    this.#local.clear();
    this.#uidOf.clear();
    this.#reserve();
    return true;
  }

  // From the pods as the API has them, which keep their addresses over a reboot.
  #reserve(): void {
    this.#range = new PodRange();
    for (const pod of this.#context.catalog.podsOn(this.name)) {
      if (!pod.spec.hostNetwork) this.#range.reserve(pod.ips);
    }
  }

  // Level-triggered: from the pod as the API has it and the pod as the machine has it.
  #sync(key: string): KubeError | undefined {
    if (!this.#runtime.running) {
      this.#behind = true;
      return undefined;
    }
    if (this.#noticeBoot()) this.#syncAll();
    if (!this.#reach()) return this.#heartbeat.missed();
    const pod = this.#context.catalog.pod(key);
    const here = pod !== undefined && pod.spec.nodeName === this.name ? pod : undefined;
    const known = this.#local.get(this.#uidOf.get(key) ?? '');
    if (known !== undefined && known.uid !== here?.uid) this.#drop(known);
    return here === undefined ? undefined : this.#tell(here);
  }

  // Our own commits come back inside the call; only the removal of a pod has a sequel.
  #tell(pod: PodView): KubeError | undefined {
    this.#writing = true;
    const writes = this.#plan(pod);
    const refusal = applyWrites(this.#context.api, `system:node:${this.name}`, writes);
    this.#writing = false;
    const local = this.#local.get(pod.uid);
    if (local !== undefined && this.#context.catalog.pod(pod.key) === undefined) this.#drop(local);
    return refusal;
  }

  #plan(pod: PodView): readonly ActorWrite[] {
    const known = this.#local.get(pod.uid);
    if (known === undefined && pod.deleting) return [remove(pod)];
    if (known === undefined && podFinished(pod)) return [];
    const local = known ?? this.#admit(pod);
    if (local === undefined) return [];
    if (pod.deleting && local.finished === undefined) this.#stop(local, pod);
    if (local.state === 'exited' && pod.deleting) return [remove(pod)];
    return this.#report(pod, local);
  }

  #report(pod: PodView, local: LocalPod): readonly ActorWrite[] {
    const fresh = local.state === 'starting' && local.restarts === 0;
    const phase = local.finished ?? (fresh ? 'Pending' : 'Running');
    const serving = local.state === 'ready' || (local.state === 'stopping' && local.servedBefore);
    const ready = serving && !local.probeFails;
    const ips = phase === 'Pending' && !local.hostNetwork ? [] : local.pod.ips;
    const same = pod.phase === phase && pod.ready === ready && restartsOf(pod) === local.restarts
      && pod.ips.join() === ips.join();
    if (same) return [];
    const body = reportedPod(pod, {
      phase, ready, ips, restarts: local.restarts,
      hostIps: this.#context.catalog.node(this.name)?.addresses ?? [],
      stamp: formatTime(this.#context.world.wall),
    });
    return [{ verb: 'replace', resource: resources.pods, body, subresource: 'status' }];
  }

  #admit(pod: PodView): LocalPod | undefined {
    const node = this.#context.catalog.node(this.name);
    if (node === undefined) return undefined;
    const { hostNetwork } = pod.spec;
    const own = pod.ips.length > 0 ? pod.ips : undefined;
    const given = hostNetwork ? node.addresses : own ?? this.#range.take(node.podCidrs);
    if (given === undefined || given.length === 0) return undefined;
    const { uid, name, namespace, key } = pod;
    const restarted = pod.phase === 'Running' ? 1 : 0;
    const local: LocalPod = {
      uid, key, hostNetwork,
      pod: { uid, name, namespace, ips: given, hostNetwork, ports: pod.spec.ports },
      state: 'starting', servedBefore: false, probeFails: false, finished: undefined,
      restarts: restartsOf(pod) + restarted, due: 0, timer: undefined,
    };
    this.#local.set(uid, local);
    this.#uidOf.set(key, uid);
    this.#arm(local, this.#drawn(this.#context.timings.podStart));
    return local;
  }

  #stop(local: LocalPod, pod: PodView): void {
    if (local.state === 'exited' || local.state === 'stopping') return;
    local.servedBefore = local.state === 'ready';
    const running = local.state === 'ready' || local.state === 'unready';
    local.state = 'stopping';
    if (running && pod.graceSeconds > 0) this.#arm(local, pod.graceSeconds * second);
    else this.#exit(local);
  }

  #exit(local: LocalPod): void {
    local.timer?.cancel();
    local.timer = undefined;
    this.#runtime.stopPod(local.uid);
    local.state = 'exited';
  }

  // The pod is gone from the API, by force or by our last word.
  #drop(local: LocalPod): void {
    if (local.state !== 'exited') this.#exit(local);
    this.#local.delete(local.uid);
    this.#uidOf.delete(local.key);
    if (local.hostNetwork) return;
    this.#range.release(local.pod.ips);
    this.nodeChanged();
  }

  #arm(local: LocalPod, delay: Micros): void {
    const { world } = this.#context;
    local.timer?.cancel();
    local.due = world.now + delay;
    const what = { kind: 'kubelet.pod', entity: `kubelet/${this.name}` };
    local.timer = world.schedule(delay, what, () => this.#advance(local));
  }

  // A frozen machine comes here late: `wake` arms what was missed.
  #advance(local: LocalPod): void {
    if (!this.#runtime.running) {
      this.#behind = true;
      return;
    }
    if (this.#noticeBoot()) this.#syncAll();
    if (this.#local.get(local.uid) !== local) return;
    local.timer = undefined;
    if (local.state === 'crashed') {
      local.state = 'starting';
      this.#arm(local, this.#drawn(this.#context.timings.podStart));
    } else if (local.state === 'starting') {
      local.state = 'unready';
      this.#runtime.startPod(local.pod);
      this.#arm(local, this.#drawn(this.#context.timings.podReady));
    } else if (local.state === 'unready') {
      local.state = 'ready';
    } else if (local.state === 'stopping') {
      this.#exit(local);
    }
    this.#queue.addAfter(local.key, 0);
  }

  #drawn(delay: Micros): Micros {
    const span = Math.floor((delay * this.#context.timings.podSpreadPercent) / 100);
    if (span === 0) return delay;
    const stream = this.#context.world.stream(`kube/kubelet/${this.name}`);
    return stream.between(delay - span, delay + span);
  }
}

function remove(pod: PodView): ActorWrite {
  return { verb: 'remove', resource: resources.pods, object: pod.object, gracePeriodSeconds: 0 };
}
