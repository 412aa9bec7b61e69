import type { Condition, IngressEntry } from '../lb/model.ts';
import { assert, err, ok } from '../lb/result.ts';
import type {
  ConditionsWrite, ServiceStatusWrite, StatusPort, WriteDone, WriteError,
} from '../lb/status.ts';
import type { Micros } from '../lb/ports.ts';
import type { Json, KubeDone, KubeError, KubePort, ObjectRef } from './port.ts';
import { apiVersion, resources } from './resource.ts';

/** After it the outcome of a write is unknown, which is an invitation to look and try again. */
const writeTimeout: Micros = 10_000_000;

const written = {
  CiliumLoadBalancerIPPool: resources.pools,
  CiliumL2AnnouncementPolicy: resources.l2Policies,
  CiliumBGPClusterConfig: resources.bgpClusterConfigs,
  CiliumBGPPeerConfig: resources.bgpPeerConfigs,
  CiliumBGPPeeringPolicy: resources.bgpPeeringPolicies,
} as const;

/**
 * Statuses by the Kubernetes API: Services by JSON merge patch of the sub-resource, our conditions
 * of pools and policies by server-side apply. Both carry uid and resourceVersion, so that a version
 * which another writer made since is a conflict and never overwritten (lb-ipam.md 10.5).
 */
export function createStatusPort(ports: { readonly kube: KubePort }): StatusPort {
  const { kube } = ports;
  return {
    writeService(write, done) {
      kube.request({
        verb: 'patch',
        ref: serviceRef(write),
        subresource: 'status',
        body: servicePatch(write),
        timeout: writeTimeout,
      }, answer(done));
    },
    writeConditions(write, manager, done) {
      const resource = written[write.kind];
      kube.request({
        verb: 'apply',
        ref: { resource, namespace: '', name: write.name },
        subresource: 'status',
        manager,
        body: conditionsBody(write),
        timeout: writeTimeout,
      }, answer(done));
    },
  };
}

function serviceRef(write: ServiceStatusWrite): ObjectRef {
  const slash = write.key.indexOf('/');
  assert(slash > 0, `${write.key} names a namespace`);
  const namespace = write.key.slice(0, slash);
  return { resource: resources.services, namespace, name: write.key.slice(slash + 1) };
}

// Null takes a list away: the API keeps no empty ones, and a [] would look like a change.
function servicePatch(write: ServiceStatusWrite): Json {
  const { uid, resourceVersion, ingress, conditions } = write;
  const status: Record<string, Json> = {};
  if (ingress !== undefined) {
    status['loadBalancer'] = { ingress: ingress.length === 0 ? null : ingress.map(ingressJson) };
  }
  if (conditions !== undefined) {
    status['conditions'] = conditions.length === 0 ? null : conditions.map(conditionJson);
  }
  return { metadata: { uid, resourceVersion }, status };
}

function conditionsBody(write: ConditionsWrite): { readonly [key: string]: Json } {
  const { kind, name, uid, resourceVersion, conditions } = write;
  return {
    apiVersion: apiVersion(written[kind]),
    kind,
    metadata: { name, uid, resourceVersion },
    status: { conditions: conditions.map(conditionJson) },
  };
}

function ingressJson(entry: IngressEntry): Json {
  return {
    ...(entry.ip === undefined ? {} : { ip: entry.ip }),
    ...(entry.hostname === undefined ? {} : { hostname: entry.hostname }),
    ...(entry.ipMode === undefined ? {} : { ipMode: entry.ipMode }),
    // Opaque, and JSON because it was decoded from JSON.
    ...(entry.ports === undefined ? {} : { ports: entry.ports as Json }),
  };
}

function conditionJson(condition: Condition): Json {
  const { type, status, reason, message, observedGeneration, lastTransitionTime } = condition;
  return {
    type,
    status,
    reason,
    message,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
  };
}

function answer(done: WriteDone): KubeDone {
  return (result) => {
    if (!result.ok) return done(err(writeError(result.error)));
    const stored = result.value.kind === 'object' ? result.value.object.metadata : undefined;
    const resourceVersion = stored?.resourceVersion;
    if (resourceVersion !== undefined) return done(ok({ resourceVersion }));
    // The write happened and its version is not known: looking again is all that helps.
    return done(err({ kind: 'retry', message: 'the answer carries no resourceVersion' }));
  };
}

function writeError(error: KubeError): WriteError {
  const { kind, message, retryAfter } = error;
  if (kind === 'conflict' || kind === 'gone' || kind === 'invalid') return { kind, message };
  return { kind: 'retry', message, ...(retryAfter === undefined ? {} : { retryAfter }) };
}
