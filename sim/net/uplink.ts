import { Nic } from './nic.ts';
import type { Segment, SwitchPort } from './segment.ts';

export interface UplinkOptions {
  readonly name: string;
  readonly left: Segment;
  readonly right: Segment;
  /** Of the two ports; no frame ever bears them. */
  readonly macs: readonly [string, string];
}

/** Both ends of an uplink. Their links carry its delay and faults. */
export interface Uplink {
  readonly left: SwitchPort;
  readonly right: SwitchPort;
}

/**
 * Joins two switches into one broadcast domain (simulator.md 5.3): what one floods or knows behind
 * the uplink, the other gets. There is no spanning tree, so uplinks must not form a ring. A dark
 * uplink is seen by its own switch alone; machines on both sides keep their carrier.
 */
export function joinSegments(options: UplinkOptions): Uplink {
  const { left, right, name, macs } = options;
  const plug = (segment: Segment, mac: string, ifindex: number): Nic => {
    const nic = new Nic(segment.tap, { owner: name, name: `port${ifindex}`, mac, ifindex });
    nic.promiscuous = true;
    return nic;
  };
  const leftNic = plug(left, macs[0], 1);
  const rightNic = plug(right, macs[1], 2);
  const leftPort = left.attach(leftNic);
  const rightPort = right.attach(rightNic);
  leftPort.trunk = true;
  rightPort.trunk = true;
  leftNic.onFrame = (frame) => rightNic.send(frame);
  rightNic.onFrame = (frame) => leftNic.send(frame);
  return { left: leftPort, right: rightPort };
}
