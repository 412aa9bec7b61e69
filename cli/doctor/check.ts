import type { Addon } from '../../bpf/native.real.ts';
import type { KubePort } from '../../kube/port.ts';
import type { DeviceFacts } from '../../lb/netlink.ts';
import type { Configuration } from '../daemon/configuration.ts';

/** What a check found. `SKIP` could not look, and says why. */
export interface Finding {
  readonly result: 'OK' | 'WARN' | 'FAIL' | 'SKIP';
  readonly detail: string;
  /** The command or the change that helps. */
  readonly next?: string;
}

/** What checks look at. A part is undefined where it cannot be had, with the reason beside it. */
export interface Surroundings {
  readonly nodeName: string;
  readonly configuration: Configuration;
  readonly addon: Addon | undefined;
  readonly addonMissing: string;
  /** Interfaces of this network namespace; empty without the addon. */
  readonly devices: readonly DeviceFacts[];
  readonly kube: KubePort | undefined;
  readonly kubeMissing: string;
  /** A file of the system as text; undefined where it is not, or may not be read. */
  readonly read: (path: string) => string | undefined;
}

/** One prerequisite, left-over or trap, with its page (interface.md 4.9). */
export interface Check {
  readonly name: string;
  /** One sentence: what is asked. */
  readonly asks: string;
  /** Why it matters and what to do. */
  readonly page: string;
  readonly look: (around: Surroundings) => Finding | Promise<Finding>;
}

export function ok(detail: string): Finding {
  return { result: 'OK', detail };
}

export function warn(detail: string, next: string): Finding {
  return { result: 'WARN', detail, next };
}

export function fail(detail: string, next: string): Finding {
  return { result: 'FAIL', detail, next };
}

export function skip(detail: string): Finding {
  return { result: 'SKIP', detail };
}
