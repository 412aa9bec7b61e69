import { checkedPrograms } from '../vm/checked.ts';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { apiVersion, resources, type Resource } from '../../kube/resource.ts';
import type { KubeObject } from '../../kube/port.ts';
import { ip } from '../../lb/ip.ts';
import { watchOracles, type OracleWatch } from '../../sim/check/oracles.ts';
import { Cluster } from '../../sim/cluster/cluster.ts';
import { defaultCluster } from '../../sim/scenario/parse.ts';

export const second = 1_000_000;

/** JSON that nobody has looked at. */
export type Odd = Record<string, unknown>;

/** The manifests of `test/scenario` that serve `web` and `spread`. */
export const good: readonly KubeObject[] = parseAllDocuments(
  readFileSync(new URL('../scenario/manifests/base.yaml', import.meta.url), 'utf8'),
).map((document) => document.toJS() as KubeObject);

/** Addresses of `web` and `spread`. */
const goodIps = [ip('192.168.10.40'), ip('192.168.10.41')];

/** A converged cluster that serves `web` and `spread`, with clients that ask both. */
export interface Site {
  readonly cluster: Cluster;
  readonly oracles: OracleWatch;
  /** Lets virtual time pass, in microseconds. */
  run(duration: number): void;
  /** Runs until nothing differs from what should be; what is open when time is up. */
  settle(limit: number): readonly string[];
  inject(object: KubeObject): void;
  /** Why processes ended, and failures of the good traffic, since the last call. */
  harm(): string[];
}

export function site(seed: number, extra: readonly KubeObject[] = []): Site {
  const line = { from: 'laptop', protocol: undefined, flows: 2, family: undefined } as const;
  const cluster = new Cluster({
    programs: checkedPrograms,
    seed: BigInt(seed),
    cluster: defaultCluster(),
    network: undefined,
    objects: [...good, ...extra],
    traffic: [
      { ...line, name: 'web', to: 'svc/default/web:80', every: 0.1 * second },
      { ...line, name: 'spread', to: 'svc/default/spread:80', every: 0.1 * second },
    ],
    freeze: true,
  });
  // Not `sticky-address`: whoever overwrites a status takes the record away himself.
  const always = ['one-owner', 'no-double-assignment', 'in-pool', 'no-crash'];
  const oracles = watchOracles(cluster, { always, oracles: {}, grace: 0 });
  const told = new Map<string, number>();
  const made: Site = {
    cluster, oracles,
    run(duration) {
      cluster.world.run(cluster.world.now + duration);
    },
    settle(limit) {
      const deadline = cluster.world.now + limit;
      while (cluster.unconverged().length > 0 && cluster.world.now < deadline) made.run(second);
      return cluster.unconverged();
    },
    inject(object) {
      const stored = cluster.api.inject(object);
      if (!stored.ok) throw new Error(stored.error.message);
    },
    harm() {
      const ended = cluster.machines.processes().filter((process) => process.fault !== undefined)
        .map(({ name, fault }) => `${name}: ${fault instanceof Error ? fault.stack : fault}`);
      const lines = [...cluster.traffic.lines.values()].flatMap(({ name, failures }) => {
        const fresh = failures.slice(told.get(name) ?? 0);
        told.set(name, failures.length);
        return fresh.map((one) => `${name} at ${one.startedAt / second} s: ${one.outcome}`);
      });
      // A client's neighbour cache hides for half a minute that nobody answers any more.
      const silent = goodIps.filter((one) => cluster.ownersOf(one).length !== 1)
        .map((one) => (
          `${one} at ${cluster.world.now / second} s: ${cluster.ownersOf(one).length} owners`
        ));
      return [...ended, ...lines, ...silent];
    },
  };
  cluster.start();
  made.run(10 * second);
  if (made.settle(110 * second).length > 0) throw new Error(cluster.unconverged().join('; '));
  // What failed before the Services had addresses harms nobody.
  made.harm();
  return made;
}

/** An object of that kind in namespace `default` where it has one. */
export function objectOf(resource: Resource, name: string, content: Odd): KubeObject {
  const { metadata, ...rest } = content as { metadata?: Odd };
  return {
    apiVersion: apiVersion(resource), kind: resource.kind,
    metadata: { name, ...(resource.namespaced && { namespace: 'default' }), ...metadata } as never,
    ...rest,
  };
}

/** Everything that the cluster tells an operator about one object: conditions and Events. */
export function toldAbout(at: Site, resource: Resource, name: string): string[] {
  const namespace = resource.namespaced ? 'default' : '';
  const object = at.cluster.api.get(resource, namespace, name);
  const status = (object?.['status'] ?? {}) as { conditions?: unknown };
  const conditions = (Array.isArray(status.conditions) ? status.conditions : []) as Odd[];
  const events = at.cluster.api.list(resources.events).filter((event) => {
    const about = event['involvedObject'] as Odd | undefined;
    return about?.['uid'] === object?.metadata?.uid;
  });
  return [
    ...conditions.filter((one) => typeof one === 'object' && one !== null)
      .map((one) => `${one['type']}=${one['status']} ${one['reason']}: ${one['message']}`),
    ...events.map((event) => `${event['reason']}: ${event['message']}`),
  ];
}
