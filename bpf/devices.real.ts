import { openDevices, type Devices, type SocketAddon } from '../lb/devices.real.ts';
import type { DatapathDeviceFacts, DatapathDevices } from './datapath/devices.ts';
import { ownCookie, readNamespaces } from './namespaces.real.ts';
import type { Addon, SocketHandle } from './native.real.ts';
import { datapathDevice, placeDevices, podsOf, type Placement, type PlacementOptions }
  from './placement.ts';

export interface RealDevicesOrder {
  readonly addon: Addon;
  /** Asked at each look, because addresses of the Node and settings change. */
  readonly options: () => PlacementOptions;
  /** Attaches programs to what is placed, and gives the numbers of devices that have them. */
  readonly place: (placement: Placement) => ReadonlySet<number>;
}

/** The devices and pods of this node. */
export interface RealDevices extends DatapathDevices {
  /** Looks again soon: the options have changed. */
  refresh(): void;
  close(): void;
}

// Starting a pod takes a dozen changes of links; one look is made for all of them.
const coalesceMs = 50;
// Addresses inside a pod change without an event here, and events can get lost.
const lookEveryMs = 10_000;

/** `DatapathDevices` of the namespace that the thread is in. The first look is made at once. */
export function realDevices(order: RealDevicesOrder): RealDevices {
  return new NodeDevices(order);
}

class NodeDevices implements RealDevices {
  #order: RealDevicesOrder;
  #devices: Devices;
  #facts: DatapathDeviceFacts | undefined;
  #shown = '';
  #listeners: (() => void)[] = [];
  #soon: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout;

  constructor(order: RealDevicesOrder) {
    this.#order = order;
    const sockets = order.addon as SocketAddon<SocketHandle>;
    this.#devices = openDevices(sockets, () => this.refresh());
    this.#beat = setInterval(() => this.#look(), lookEveryMs).unref();
    this.#look();
  }

  facts(): DatapathDeviceFacts | undefined {
    return this.#facts;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  refresh(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#look();
    }, coalesceMs);
  }

  close(): void {
    clearInterval(this.#beat);
    clearTimeout(this.#soon);
    this.#devices.close();
  }

  #look(): void {
    const { addon, options, place } = this.#order;
    const cookie = ownCookie(addon);
    if (!cookie.ok) return;
    const placement = placeDevices(this.#devices.read(), options());
    const hooked = place(placement);
    this.#facts = {
      devices: [...placement.uplinks, ...placement.pods].map(datapathDevice),
      pods: podsOf({
        namespaces: readNamespaces(addon, this.#devices), pods: placement.pods, hooked,
      }),
      nodeCookie: cookie.value,
    };
    const shown = JSON.stringify(this.#facts, (_, value: unknown) => (
      typeof value === 'bigint' ? String(value) : value
    ));
    if (shown === this.#shown) return;
    this.#shown = shown;
    // Never inside a call of this port; the first look is before anybody listens.
    setImmediate(() => this.#listeners.forEach((listener) => listener()));
  }
}
