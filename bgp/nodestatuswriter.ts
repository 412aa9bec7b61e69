import type { Json, KubePort } from '../kube/port.ts';
import { resources } from '../kube/resource.ts';
import type { BgpNodeConfig } from '../lb/bgpmodel.ts';
import { mergeConditions } from '../lb/conditions.ts';
import { equalJson } from '../lb/json.ts';
import type { Condition } from '../lb/model.ts';
import type { Clock, Journal, Micros, Random, Timer } from '../lb/ports.ts';
import { compareText } from '../lb/table.ts';
import { formatTime } from '../lb/time.ts';
import { bgpConditions, type Truths } from './conditionwriter.ts';
import { nodeConfigReasons } from './nodestatus.ts';

export interface NodeStatusPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly kube: KubePort;
  readonly journal: Journal;
}

/** What the status is made of, asked for when it is about to be written. */
export interface NodeStatusSource {
  /** Undefined: there is nothing to write to. */
  config(): BgpNodeConfig | undefined;
  instances(): readonly Json[];
  truths(): Truths;
}

interface KnownStatus {
  readonly instances: unknown;
  readonly conditions: readonly Condition[];
}

/** The first change after quiet is written this soon, later ones this far apart (bgp.md 8). */
const firstAfter: Micros = 500_000;
const laterAfter: Micros = 4_500_000;
const jitter: Micros = 1_000_000;
const requestTimeout: Micros = 5_000_000;

/** Writes the status of this node's NodeConfig, and only what changes it. */
export class NodeStatusWriter {
  #ports: NodeStatusPorts;
  #source: NodeStatusSource;
  #timer: Timer | undefined;
  #writing = false;
  #dirty = false;
  #wroteAt: Micros | undefined;
  #stopped = false;
  /** What the API has by our last write, which the watch may bring later. */
  #written: { readonly uid: string; readonly status: KnownStatus } | undefined;

  constructor(ports: NodeStatusPorts, source: NodeStatusSource) {
    this.#ports = ports;
    this.#source = source;
  }

  pending(): readonly string[] {
    return this.#writing || this.#timer !== undefined ? ['bgp status is written'] : [];
  }

  /** Something that a status shows may have changed. */
  changed(): void {
    this.#dirty = true;
    this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    if (this.#stopped || this.#writing || this.#timer !== undefined) return;
    const { clock, random } = this.#ports;
    const last = this.#wroteAt;
    const due = last === undefined ? 0 : last + laterAfter + random.below(jitter) - clock.now();
    this.#timer = clock.after(Math.max(firstAfter, due), () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  #write(): void {
    this.#dirty = false;
    const config = this.#source.config();
    if (config === undefined) return;
    const { name, uid } = config.meta;
    const known: KnownStatus = this.#written?.uid === uid ? this.#written.status : {
      instances: config.statusInstances, conditions: config.conditions,
    };
    const wanted = this.#wanted(config, known);
    if (equalJson(known, wanted)) return;
    const { instances, conditions } = wanted;
    this.#writing = true;
    this.#ports.kube.request({
      verb: 'patch', subresource: 'status', timeout: requestTimeout,
      ref: { resource: resources.bgpNodeConfigs, namespace: '', name },
      body: {
        metadata: { uid },
        status: { bgpInstances: instances, conditions: conditions.map(conditionJson) },
      },
    }, (result) => {
      this.#writing = false;
      this.#wroteAt = this.#ports.clock.now();
      if (result.ok) this.#written = { uid, status: wanted };
      else {
        this.#written = undefined;
        this.#ports.journal.note({
          level: 'warn', component: 'bgp', code: 'bgp.statusRefused',
          object: `CiliumBGPNodeConfig ${name}`, text: result.error.message,
        });
        // An object that is gone or refuses will not change its mind by being asked again.
        if (result.error.kind !== 'gone' && result.error.kind !== 'invalid') this.#dirty = true;
      }
      if (this.#dirty) this.#arm();
    });
  }

  #wanted(
    config: BgpNodeConfig, known: KnownStatus,
  ): KnownStatus & { readonly instances: readonly Json[] } {
    const types = Object.keys(nodeConfigReasons);
    const at = formatTime(this.#ports.clock.wall());
    const conditions = bgpConditions(
      { meta: config.meta, reasons: nodeConfigReasons }, this.#source.truths(), true,
    );
    const merged = mergeConditions(known.conditions, conditions, { owned: types, at });
    return {
      instances: this.#source.instances(),
      conditions: merged.conditions.toSorted((left, right) => compareText(left.type, right.type)),
    };
  }
}

function conditionJson(condition: Condition): Json {
  const { type, status, reason, message, observedGeneration, lastTransitionTime } = condition;
  return {
    type, status, reason, message,
    ...(observedGeneration !== undefined && { observedGeneration }),
    ...(lastTransitionTime !== undefined && { lastTransitionTime }),
  };
}
