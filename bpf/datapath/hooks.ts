import { createServiceDatapath } from './datapath.ts';
import type {
  FrontChange, ServiceDatapath, ServiceDatapathPorts, ServiceDatapathSettings,
  ServiceDatapathTables,
} from './settings.ts';

/** The programs of this process on the hooks of its node (datapath.md 11, 14.1). */
export interface DatapathHooks {
  /**
   * Called once, before the listings. The Node of the tables says which devices are uplinks, and
   * the self-test adds a Service and a slice of its own.
   */
  follow(tables: ServiceDatapathTables): void;
  /** The tables are as wanted: programs of this process may replace those of an earlier one. */
  attach(): void;
  /** Why the node does not translate, or no longer; undefined while it does. */
  fault(): string | undefined;
  /** Called after each change of `fault`; never inside a call of this port. */
  onChange(listener: () => void): void;
}

export interface HookedDatapathPorts extends ServiceDatapathPorts {
  readonly hooks: DatapathHooks;
}

/**
 * The reconciler of a node's tables and the programs that read them. The tables come first, and
 * only then programs on hooks; it is ready when besides the tables the self-test is well.
 */
export function createHookedDatapath(
  ports: HookedDatapathPorts, tables: ServiceDatapathTables, settings: ServiceDatapathSettings,
): ServiceDatapath {
  const { hooks } = ports;
  const inner = createServiceDatapath(ports, tables, settings);
  const listeners: ((change: FrontChange) => void)[] = [];
  const tell = (change: FrontChange): void => {
    for (const listener of listeners) listener(change);
  };
  inner.onChange((change) => {
    if (change.all) hooks.attach();
    tell(change);
  });
  hooks.onChange(() => {
    if (inner.ready()) tell({ all: true, ips: new Set() });
  });
  return {
    start() {
      hooks.follow(tables);
      inner.start();
    },
    stop: () => inner.stop(),
    ready: () => inner.ready() && hooks.fault() === undefined,
    hasFront: (address) => inner.hasFront(address),
    onChange: (listener) => void listeners.push(listener),
    pending() {
      const fault = inner.ready() ? hooks.fault() : undefined;
      return [...inner.pending(), ...(fault === undefined ? [] : [fault])];
    },
    conflicts: () => inner.conflicts(),
    sync: () => inner.sync(),
    get faults() {
      return inner.faults;
    },
    get auditRepairs() {
      return inner.auditRepairs;
    },
    get flowRows() {
      return inner.flowRows;
    },
  };
}
