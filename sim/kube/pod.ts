import { parseIp, type Ip } from '../../lb/ip.ts';
import type { Labels, Protocol } from '../../lb/model.ts';
import type { KubeObject } from '../../kube/port.ts';
import { count, fields, items, labelsOf, text, type Fields } from './fields.ts';
import { tolerationOf, type Toleration } from './taints.ts';

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The controller that an object belongs to. */
export interface Owner {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface ContainerPort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
}

/** What never changes in a pod after it is bound, read once per spec object. */
export interface PodSpec {
  /** Empty while unscheduled. */
  readonly nodeName: string;
  readonly hostNetwork: boolean;
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never';
  readonly graceSeconds: number;
  readonly hostname: string;
  readonly subdomain: string;
  readonly ports: readonly ContainerPort[];
  readonly tolerations: readonly Toleration[];
  readonly fields: Fields;
}

/** A pod as the built-in controllers see it. */
export interface PodView {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  readonly owner: Owner | undefined;
  readonly deleting: boolean;
  /** As granted by the deletion; the spec's grace otherwise. */
  readonly graceSeconds: number;
  readonly spec: PodSpec;
  readonly phase: PodPhase;
  readonly ready: boolean;
  readonly ips: readonly Ip[];
  readonly object: KubeObject;
}

const defaultGraceSeconds = 30;

/** Reads a pod; `before` lends its spec when the object shares it. */
export function podView(object: KubeObject, before: PodView | undefined): PodView {
  const metadata = object.metadata ?? {};
  const namespace = metadata.namespace ?? '';
  const name = metadata.name ?? '';
  const shared = before !== undefined && before.object['spec'] === object['spec'];
  const spec = shared ? before.spec : podSpec(fields(object['spec']));
  const status = fields(object['status']);
  const deleting = metadata['deletionTimestamp'] !== undefined;
  const granted = metadata['deletionGracePeriodSeconds'];
  return {
    key: `${namespace}/${name}`,
    namespace,
    name,
    uid: metadata.uid ?? '',
    labels: labelsOf(metadata['labels']),
    owner: controllerOf(object),
    deleting,
    graceSeconds: deleting ? count(granted, spec.graceSeconds) : spec.graceSeconds,
    spec,
    phase: phaseOf(status['phase']),
    ready: conditionTrue(status, 'Ready'),
    ips: podIps(status),
    object,
  };
}

/** True while the pod counts as one of its controller's: not deleting and not finished. */
export function podActive(pod: PodView): boolean {
  return !pod.deleting && !podFinished(pod);
}

export function podFinished(pod: PodView): boolean {
  return pod.phase === 'Succeeded' || pod.phase === 'Failed';
}

/** The owner reference marked as controller, of any object. */
export function controllerOf(object: KubeObject): Owner | undefined {
  const references = object.metadata?.['ownerReferences'];
  if (references === undefined) return undefined;
  const controller = items(references).find((reference) => reference['controller'] === true);
  if (controller === undefined) return undefined;
  return {
    kind: text(controller['kind']), name: text(controller['name']), uid: text(controller['uid']),
  };
}

export function conditionTrue(status: Fields, type: string): boolean {
  return items(status['conditions']).some(
    (entry) => entry['type'] === type && entry['status'] === 'True',
  );
}

function podSpec(spec: Fields): PodSpec {
  const policy = spec['restartPolicy'];
  return {
    nodeName: text(spec['nodeName']),
    hostNetwork: spec['hostNetwork'] === true,
    restartPolicy: policy === 'Never' || policy === 'OnFailure' ? policy : 'Always',
    graceSeconds: count(spec['terminationGracePeriodSeconds'], defaultGraceSeconds),
    hostname: text(spec['hostname']),
    subdomain: text(spec['subdomain']),
    ports: items(spec['containers']).flatMap(
      (container) => items(container['ports']).flatMap(containerPort),
    ),
    tolerations: items(spec['tolerations']).map(tolerationOf),
    fields: spec,
  };
}

function containerPort(port: Fields): readonly ContainerPort[] {
  const number = count(port['containerPort'], 0);
  if (number === 0) return [];
  return [{ name: text(port['name']), protocol: protocolOf(port['protocol']), port: number }];
}

/** The protocol of a port entry; TCP where none is named. */
export function protocolOf(value: unknown): Protocol {
  return value === 'UDP' || value === 'SCTP' ? value : 'TCP';
}

function phaseOf(value: unknown): PodPhase {
  return value === 'Running' || value === 'Succeeded' || value === 'Failed' ? value : 'Pending';
}

function podIps(status: Fields): readonly Ip[] {
  const listed = items(status['podIPs']).map((entry) => text(entry['ip']));
  const written = listed.length > 0 ? listed : [text(status['podIP'])];
  return written.flatMap((address) => {
    const parsed = parseIp(address);
    return parsed.ok ? [parsed.value] : [];
  });
}
