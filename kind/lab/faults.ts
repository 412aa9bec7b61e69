import type { Fault } from '../../lb/model.ts';
import { parseIpUnmapped, type Ip } from '../../lb/ip.ts';
import { lockName } from '../../l2/lease.ts';
import { Reader } from '../../sim/scenario/reader.ts';
import type { FaultUse } from '../../sim/scenario/spec.ts';
import { apiPort, managementBridge, type Cable } from './blueprint.ts';
import type { Lab } from './lab.ts';
import { ownNamespace } from './spec.ts';
import { ipBatch, runIn } from './site.ts';

/** Ends a fault of the lab; everything is as before when it resolves. */
export type LabHeal = () => Promise<void>;

/** A fault that was read and has its target: it strikes at once when it is called. */
export type LabStrike = () => Promise<LabHeal>;

interface LabFault {
  /** `node` is the machine that the parameters name, where they name one. */
  prepare(lab: Lab, node: string, parameters: Reader): LabStrike;
  /** True where no node is meant. */
  readonly whole?: true;
}

/** Long enough for the shutdown of l2.md L4 and the rest of an orderly end. */
const stopMs = 10_000;

/** Faults of the scenario vocabulary (simulator.md 8) on real machines. */
const faults: Readonly<Record<string, LabFault>> = {
  'node.powerOff': {
    prepare: (lab, node) => async () => {
      const machine = lab.machine(node);
      // Links first: a node without power says no farewell, and closes no session.
      setManagement(lab, node, 'down');
      setLan(lab, node, 'down');
      await machine.kill();
      return async () => {
        setManagement(lab, node, 'up');
        setLan(lab, node, 'up');
        await machine.boot();
        lab.startAgent(node);
      };
    },
  },
  'process.crash': {
    prepare: (lab, node) => async () => {
      await lab.machine(node).kill('agent');
      return async () => lab.startAgent(node);
    },
  },
  'process.stop': {
    prepare: (lab, node) => async () => {
      lab.stopAgent(node);
      return async () => {
        if (!(await lab.machine(node).ended('agent', stopMs))) {
          throw new Error(`the agent of ${node} does not end`);
        }
        lab.startAgent(node);
      };
    },
  },
  'node.drain': {
    prepare: (lab, node) => async () => {
      await lab.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable: true } });
      await evictPods(lab, node);
      return () => lab.patch(`/api/v1/nodes/${node}`, { spec: { unschedulable: null } });
    },
  },
  // Both ends see no carrier.
  'link.down': {
    prepare: (lab, node) => async () => {
      setLan(lab, node, 'down');
      return async () => setLan(lab, node, 'up');
    },
  },
  'net.isolate': {
    prepare: (lab, node, parameters) => {
      const plane = parameters.oneOf('plane', ['api', 'lan']);
      if (plane === undefined) parameters.fault('plane', 'a lab isolates from api or from lan');
      return async () => {
        const plug = plane === 'api' ? plugManagement : plugLan;
        plug(lab, node, false);
        return async () => plug(lab, node, true);
      };
    },
  },
  'api.outage': {
    whole: true,
    prepare: (lab, _, parameters) => {
      const form = parameters.oneOf('form', ['refuse', 'blackhole']) ?? 'refuse';
      const site = lab.machine('control').site('faults');
      return async () => {
        const verdict = form === 'refuse' ? 'reject with tcp reset' : 'drop';
        runIn(site, ['/usr/sbin/nft', outageRules(verdict)]);
        return async () => void runIn(site, ['/usr/sbin/nft', 'delete table inet outage']);
      };
    },
  },
};

/** Names of the faults that a lab has. */
export const labFaultNames = Object.keys(faults).toSorted();

/** Reads a fault and finds its target now. Throws what is wrong, or not to be had in a lab. */
export async function prepareFault(lab: Lab, use: FaultUse): Promise<LabStrike> {
  const fault = faults[use.name];
  if (fault === undefined) {
    throw new Error(`${use.path}: a lab has no ${use.name}; it has ${labFaultNames.join(', ')}`);
  }
  const found: Fault[] = [];
  const reader = new Reader(use.with, `${use.path}.with`, found);
  const node = fault.whole === true ? '' : await readNode(lab, reader);
  const strike = fault.prepare(lab, node, reader);
  reader.finish();
  if (found.length > 0) {
    throw new Error(found.map(({ path, message }) => `${path}: ${message}`).join('; '));
  }
  return strike;
}

async function readNode(lab: Lab, reader: Reader): Promise<string> {
  const owned = reader.text('owner-of');
  if (owned === undefined) {
    const named = reader.text('node') ?? reader.text('target')?.replace(/^agent\//u, '');
    if (named === undefined) reader.fault('node', 'is required: a name, or owner-of: ADDRESS');
    return lab.machine(named ?? '').name;
  }
  const address = parseIpUnmapped(owned);
  if (!address.ok) throw new Error(`${reader.at('owner-of')}: ${owned} is no address`);
  const owner = await ownerOf(lab, address.value);
  if (owner === undefined) throw new Error(`nobody owns ${owned} now`);
  return owner;
}

interface Lease {
  readonly spec?: { readonly holderIdentity?: string };
}

/** The node whose session holds the lock of an address (l2.md 2.3). */
export async function ownerOf(lab: Lab, address: Ip): Promise<string | undefined> {
  const leases = `/apis/coordination.k8s.io/v1/namespaces/${ownNamespace}/leases`;
  const lease = await lab.get(`${leases}/${lockName(address)}`) as Lease | undefined;
  const holder = lease?.spec?.holderIdentity ?? '';
  return holder === '' ? undefined : holder.slice(0, holder.lastIndexOf('_'));
}

interface PodList {
  readonly items: readonly {
    readonly metadata: {
      readonly name: string; readonly namespace: string;
      readonly ownerReferences?: readonly { readonly kind: string }[];
    };
    readonly spec: { readonly nodeName?: string };
  }[];
}

/** What `kubectl drain` does after it has cordoned. */
async function evictPods(lab: Lab, node: string): Promise<void> {
  const { items } = await lab.get('/api/v1/pods') as PodList;
  const evicted = items.filter(({ metadata, spec }) => (
    spec.nodeName === node && metadata.ownerReferences?.some(({ kind }) => kind === 'DaemonSet')
      !== true
  ));
  await Promise.all(evicted.map(({ metadata: { namespace, name } }) => (
    lab.remove(`/api/v1/namespaces/${namespace}/pods/${name}`)
  )));
}

function cablesOf(lab: Lab, node: string): readonly Cable[] {
  return lab.spec.blueprint.cables.filter(({ machine }) => machine === node);
}

function setLan(lab: Lab, node: string, state: 'up' | 'down'): void {
  ipBatch(lab.machine('switch').plan.namespace, cablesOf(lab, node).map(({ port }) => (
    `link set dev ${port} ${state}`
  )));
}

function setManagement(lab: Lab, node: string, state: 'up' | 'down'): void {
  ipBatch(lab.machine('control').plan.namespace, [
    `link set dev ${managementPortOf(lab, node)} ${state}`,
  ]);
}

// Frames vanish in the switch while the cable keeps its light.
function plugLan(lab: Lab, node: string, plugged: boolean): void {
  ipBatch(lab.machine('switch').plan.namespace, cablesOf(lab, node).map(({ port, bridge }) => (
    plugged ? `link set dev ${port} master ${bridge}` : `link set dev ${port} nomaster`
  )));
}

function plugManagement(lab: Lab, node: string, plugged: boolean): void {
  const port = managementPortOf(lab, node);
  ipBatch(lab.machine('control').plan.namespace, [
    plugged ? `link set dev ${port} master ${managementBridge}` : `link set dev ${port} nomaster`,
  ]);
}

function managementPortOf({ spec: { blueprint } }: Lab, node: string): string {
  const port = blueprint.managementPorts[node];
  if (port === undefined) throw new Error(`${node} is not on the management network`);
  return port;
}

// Requests end at once or vanish; what watches have to tell does not leave.
function outageRules(verdict: string): string {
  return [
    'add table inet outage',
    'add chain inet outage in { type filter hook input priority 0; }',
    'add chain inet outage out { type filter hook output priority 0; }',
    `add rule inet outage in tcp dport ${apiPort} ${verdict}`,
    `add rule inet outage out tcp sport ${apiPort} tcp flags & rst == 0 drop`,
  ].join('; ');
}
