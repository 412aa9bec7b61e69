import type { Clock, Journal, Micros, Random, Timer } from '../lb/ports.ts';
import type { Lease } from '../lb/model.ts';
import { assert } from '../lb/result.ts';
import { decodeLease } from './decode-cluster.ts';
import type { KubeError, KubeObject, KubePort, ObjectRef } from './port.ts';
import { apiVersion, resources } from './resource.ts';
import { formatMicroTime } from '../lb/time.ts';

export interface LeaderPorts {
  readonly kube: KubePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly journal: Journal;
}

/** `retry` < `renewDeadline` < `lease`; the gap between the last two is for clocks that differ. */
export interface LeaderTiming {
  /** How long others leave an unrenewed Lease alone; whole seconds. */
  readonly lease: Micros;
  /** The leader stops this long after it sent its last renewal that counted. */
  readonly renewDeadline: Micros;
  /** Between renewals, and between looks at another's Lease. */
  readonly retry: Micros;
}

export const leaderTimingDefault: LeaderTiming = {
  lease: 15_000_000,
  renewDeadline: 10_000_000,
  retry: 2_000_000,
};

export interface LeaderSettings {
  readonly namespace: string;
  /** Name of the Lease. */
  readonly name: string;
  /** Of this replica and this run of it; no other may ever use the same. */
  readonly identity: string;
  readonly timing: LeaderTiming;
}

export interface LeaderCallbacks {
  onStart(): void;
  /** Called before anybody else can lead, provided that this process is running at all. */
  onStop(): void;
}

export interface Leader {
  start(): void;
  /** Ends leadership at once and releases the Lease, so that another replica need not wait. */
  stop(): void;
  /**
   * True while this replica leads by its own monotonic clock. A process that was paused must ask
   * before it acts: its deadline may have passed before the timer could say so.
   */
  readonly leading: boolean;
  pending(): readonly string[];
}

/**
 * Leader election over one Lease, as Kubernetes components do it: whoever holds it renews it;
 * others take it when they have seen it unchanged for its whole duration by their own monotonic
 * clock. Wall clocks are written for people and never compared. A lost reply is looked up, not
 * guessed.
 */
export function createLeader(
  ports: LeaderPorts,
  settings: LeaderSettings,
  callbacks: LeaderCallbacks,
): Leader {
  const { retry, renewDeadline, lease } = settings.timing;
  assert(retry > 0 && retry < renewDeadline, `a retry of ${retry} µs leaves time to renew`);
  assert(renewDeadline < lease, `a leader stops before its Lease of ${lease} µs is free`);
  return new Candidate(ports, settings, callbacks);
}

interface Sighting {
  readonly lease: Lease;
  readonly object: KubeObject;
  /** When this version was first seen. */
  readonly at: Micros;
}

class Candidate implements Leader {
  readonly #ports: LeaderPorts;
  readonly #settings: LeaderSettings;
  readonly #callbacks: LeaderCallbacks;
  #state: 'idle' | 'waiting' | 'leading' | 'stopped' = 'idle';
  #seen: Sighting | undefined;
  #deadline: Micros = 0;
  #busy = false;
  #retryTimer: Timer | undefined;
  #deadlineTimer: Timer | undefined;
  #holder = '';

  constructor(ports: LeaderPorts, settings: LeaderSettings, callbacks: LeaderCallbacks) {
    this.#ports = ports;
    this.#settings = settings;
    this.#callbacks = callbacks;
  }

  get leading(): boolean {
    return this.#state === 'leading' && this.#ports.clock.now() < this.#deadline;
  }

  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'waiting';
    this.#step();
  }

  stop(): void {
    if (this.#state === 'stopped') return;
    const led = this.leading;
    if (this.#state === 'leading') this.#lose('stopped');
    this.#state = 'stopped';
    this.#retryTimer?.cancel();
    this.#deadlineTimer?.cancel();
    if (led && this.#seen !== undefined) this.#release(this.#seen);
  }

  pending(): readonly string[] {
    if (this.#state !== 'waiting') return [];
    const { namespace, name } = this.#settings;
    const whom = this.#holder === '' ? '' : `, held by ${this.#holder}`;
    return [`leadership: Lease ${namespace}/${name}${whom}`];
  }

  get #ref(): ObjectRef {
    const { namespace, name } = this.#settings;
    return { resource: resources.leases, namespace, name };
  }

  /** One look or one write; the next follows after the retry time, whatever comes of it. */
  #step(): void {
    const { retry } = this.#settings.timing;
    const jitter = this.#ports.random.below(Math.floor(retry / 5) + 1);
    this.#retryTimer = this.#ports.clock.after(retry + jitter, () => this.#step());
    if (this.#state === 'leading' && !this.leading) this.#lose('its renewals came too late');
    if (this.#busy) return;
    if (this.#state === 'leading' && this.#seen !== undefined) this.#write(this.#seen);
    else this.#look();
  }

  #look(): void {
    this.#send({ verb: 'get', ref: this.#ref }, (object) => {
      if (this.#see(object) && this.#seen !== undefined && this.#free(this.#seen)) {
        this.#write(this.#seen);
      }
    }, (error) => {
      if (error.kind !== 'gone') return;
      this.#lose('the Lease is gone');
      this.#create();
    });
  }

  /** Only a change of version starts the count anew: the Lease's own times are a wall clock's. */
  #see(object: KubeObject): boolean {
    const decoded = decodeLease(object);
    if (!decoded.ok) {
      this.#note('warn', 'leader.unreadable', 'the Lease cannot be read');
      return false;
    }
    const lease = decoded.value;
    this.#holder = lease.holderIdentity;
    const before = this.#seen?.lease.meta;
    const same = before?.resourceVersion === lease.meta.resourceVersion;
    const at = same && this.#seen !== undefined ? this.#seen.at : this.#ports.clock.now();
    this.#seen = { lease, object, at };
    if (lease.holderIdentity !== this.#settings.identity) {
      this.#lose(`the Lease is held by '${lease.holderIdentity}'`);
    }
    return true;
  }

  #free({ lease, at }: Sighting): boolean {
    const { identity } = this.#settings;
    if (lease.holderIdentity === '' || lease.holderIdentity === identity) return true;
    const stated = (lease.leaseDurationSeconds ?? 0) * 1_000_000;
    // An unstated or tiny duration must not hand over a Lease that is being renewed.
    const duration = Math.max(stated, this.#settings.timing.lease);
    return this.#ports.clock.now() - at >= duration;
  }

  /** Creates, takes or renews; the version seen is the precondition, so only one of two can win. */
  #write(seen: Sighting): void {
    const sentAt = this.#ports.clock.now();
    const body = this.#bodyOf(seen, this.#settings.identity);
    this.#send({ verb: 'update', ref: this.#ref, body }, (object) => {
      this.#won(object, sentAt);
    }, (error) => this.#lookAfter(error));
  }

  #create(): void {
    const sentAt = this.#ports.clock.now();
    const { namespace } = this.#settings;
    const body = this.#bodyOf(undefined, this.#settings.identity);
    const resource = resources.leases;
    this.#send({ verb: 'create', resource, namespace, body }, (object) => {
      this.#won(object, sentAt);
    }, (error) => this.#lookAfter(error));
  }

  // What the Lease says now decides. Any other failure changed nothing and waits for the next step.
  #lookAfter(error: KubeError): void {
    const { kind } = error;
    if (kind === 'conflict' || kind === 'exists' || kind === 'unknown-outcome') this.#look();
  }

  #won(object: KubeObject, sentAt: Micros): void {
    const { identity, timing } = this.#settings;
    if (!this.#see(object) || this.#seen?.lease.holderIdentity !== identity) return;
    const { clock } = this.#ports;
    const deadline = sentAt + timing.renewDeadline;
    // An answer that comes after its own deadline proves nothing any more.
    if (clock.now() >= deadline) return;
    this.#deadline = deadline;
    this.#deadlineTimer?.cancel();
    const wait = deadline - clock.now();
    this.#deadlineTimer = clock.after(wait, () => this.#lose('its renewals failed'));
    if (this.#state === 'leading') return;
    this.#state = 'leading';
    this.#note('info', 'leader.started', `${identity} leads`);
    this.#callbacks.onStart();
  }

  #send(
    request: LeaseRequest,
    then: (object: KubeObject) => void,
    otherwise: (error: KubeError) => void,
  ): void {
    this.#busy = true;
    // No longer than one retry, so that several attempts fit into the deadline.
    const timeout = this.#settings.timing.retry;
    this.#ports.kube.request({ ...request, timeout }, (result) => {
      this.#busy = false;
      if (this.#state === 'stopped') return;
      if (this.#state === 'leading' && !this.leading) this.#lose('its renewals came too late');
      if (!result.ok) otherwise(result.error);
      else if (result.value.kind === 'object') then(result.value.object);
    });
  }

  #lose(why: string): void {
    this.#deadlineTimer?.cancel();
    if (this.#state !== 'leading') return;
    this.#state = 'waiting';
    this.#note('warn', 'leader.stopped', `${this.#settings.identity} leads no longer: ${why}`);
    this.#callbacks.onStop();
  }

  #release(seen: Sighting): void {
    const body = this.#bodyOf(seen, '');
    // Best effort: if it is lost, the Lease runs out by itself.
    const timeout = this.#settings.timing.retry;
    this.#ports.kube.request({ verb: 'update', ref: this.#ref, body, timeout }, () => {});
  }

  #bodyOf(seen: Sighting | undefined, holder: string): KubeObject {
    const { namespace, name, timing } = this.#settings;
    const now = formatMicroTime(this.#ports.clock.wall());
    const lease = seen?.lease;
    const released = holder === '';
    const renewal = lease !== undefined && lease.holderIdentity === holder;
    const transitions = lease?.leaseTransitions ?? 0;
    const took = lease !== undefined && !renewal && !released;
    return {
      ...seen?.object,
      apiVersion: apiVersion(resources.leases),
      kind: 'Lease',
      metadata: { ...seen?.object.metadata, namespace, name },
      spec: {
        // The API accepts no empty holder: a released Lease has none.
        ...(released ? {} : { holderIdentity: holder }),
        leaseDurationSeconds: Math.ceil(timing.lease / 1_000_000),
        acquireTime: renewal || released ? lease?.acquireTime ?? now : now,
        renewTime: now,
        leaseTransitions: took ? transitions + 1 : transitions,
      },
    };
  }

  #note(level: 'info' | 'warn', code: string, text: string): void {
    this.#ports.journal.note({ level, component: 'leader', code, text });
  }
}

type LeaseRequest =
  | { readonly verb: 'get'; readonly ref: ObjectRef }
  | { readonly verb: 'update'; readonly ref: ObjectRef; readonly body: KubeObject }
  | {
    readonly verb: 'create'; readonly resource: typeof resources.leases;
    readonly namespace: string; readonly body: KubeObject;
  };
