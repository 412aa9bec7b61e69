import type { Ip } from '../lb/ip.ts';
import type { Clock, Micros, Timer } from '../lb/ports.ts';
import { ok, type Result } from '../lb/result.ts';
import { planAttach, type AttachPlan } from './attach.ts';
import type { DatapathDeviceFacts, DatapathDevices, PodFacts } from './datapath/devices.ts';
import { readDevices, readPods, watchDevices } from './devices.real.ts';
import type { Addon } from './native.real.ts';
import { isRefused, refusal, type Refusal } from './refusal.real.ts';

export interface NodeDevicesOrder {
  readonly addon: Addon;
  readonly clock: Clock;
  readonly uplinks: readonly string[] | undefined;
  readonly announced: readonly string[];
  /** Addresses of this node as its Node object has them. */
  nodeAddresses(): readonly Ip[];
  /** True when the programs of a pod interface are attached. */
  hooksPod(ifindex: number): boolean;
}

// A pod gets its address after its interface is there, in a namespace whose events are not heard.
const againDelays: readonly Micros[] = [50_000, 200_000, 1_000_000, 5_000_000, 30_000_000];

/** Devices and pods of the node that this thread is in, as links come and go. */
export class NodeDevices implements DatapathDevices {
  #order: NodeDevicesOrder;
  #plan: AttachPlan | undefined;
  #facts: DatapathDeviceFacts | undefined;
  #listeners: (() => void)[] = [];
  #watch: { close(): void } | undefined;
  #timer: Timer | undefined;
  #attempts = 0;

  constructor(order: NodeDevicesOrder) {
    this.#order = order;
  }

  /** Reads for the first time and listens from now on. */
  start(): Result<void, Refusal> {
    const watch = watchDevices(this.#order.addon, () => {
      this.#attempts = 0;
      this.#arm(0);
    });
    if (!watch.ok) return watch;
    this.#watch = watch.value;
    return this.read();
  }

  stop(): void {
    this.#watch?.close();
    this.#timer?.cancel();
  }

  get plan(): AttachPlan | undefined {
    return this.#plan;
  }

  facts(): DatapathDeviceFacts | undefined {
    return this.#facts;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Looks at everything again, and tells when something is different. */
  read(): Result<void, Refusal> {
    const { addon, uplinks, announced } = this.#order;
    const devices = readDevices(addon);
    if (!devices.ok) return devices;
    const nodeAddresses = this.#order.nodeAddresses();
    const plan = planAttach({ devices: devices.value, nodeAddresses, uplinks, announced });
    const pods = readPods(addon, plan.pods);
    if (!pods.ok) return pods;
    const nodeCookie = addon.netnsCookie();
    if (isRefused(nodeCookie)) return { ok: false, error: refusal('read the cookie', nodeCookie) };
    const facts = {
      devices: plan.devices, nodeCookie: nodeCookie as bigint,
      pods: pods.value.map((pod): PodFacts => ({
        ...pod, hooked: this.#order.hooksPod(pod.ifindex),
      })),
    };
    this.#readAgainWhileIncomplete(plan, facts.pods);
    const same = textOf({ plan: this.#plan, facts: this.#facts }) === textOf({ plan, facts });
    this.#plan = plan;
    this.#facts = facts;
    if (!same) for (const listener of this.#listeners) listener();
    return ok(undefined);
  }

  #readAgainWhileIncomplete(plan: AttachPlan, pods: readonly PodFacts[]): void {
    const complete = plan.pods.every((ifindex) => (
      pods.some((pod) => pod.ifindex === ifindex && pod.addresses.length > 0)
    ));
    const delay = againDelays[this.#attempts];
    if (complete || delay === undefined) return;
    this.#attempts += 1;
    this.#arm(delay);
  }

  #arm(delay: Micros): void {
    this.#timer?.cancel();
    // A refusal here is one of a moment: the next change or the next attempt reads again.
    this.#timer = this.#order.clock.after(delay, () => void this.read());
  }
}

function textOf(facts: unknown): string {
  return JSON.stringify(facts, (_, value: unknown) => (
    typeof value === 'bigint' ? String(value) : value
  ));
}
