import type { KubeError, KubeObject } from '../kube/port.ts';
import { formatMicroTime } from '../lb/time.ts';
import { resources } from '../kube/resource.ts';
import { MachineHost, type Effect } from '../lb/machine.ts';
import type { Micros, Timer } from '../lb/ports.ts';
import {
  changedLease, closedAnnotation, identityOf, newSession, sessionAnnotation, sessionName,
  sessionStateText, type SessionState,
} from './lease.ts';
import { Renewal } from './renewal.ts';
import type { SessionConfig, SessionHooks, SessionPorts } from './sessionparts.ts';
import { sessionMachine, type SessionStateName } from './session-machine.ts';
import type { SessionSeen } from './view.ts';

/**
 * The node's session: opened by creating a Lease, kept by renewing it, and the measure of how long
 * this node may answer (l2.md 5.2). What the stream delivers decides; answers of the API only
 * carry versions to go on from.
 */
export class Session {
  identity = '';
  /** When the present session opened, monotonic; observation of others counts from here (S8). */
  openedAt: Micros = 0;
  /** Earlier sessions of this process. */
  readonly past = new Set<string>();
  /** Why renewals fail at present; undefined while they succeed. For overtime (l2.md 13). */
  trouble: KubeError | undefined;
  #ports: SessionPorts;
  #config: SessionConfig;
  #hooks: SessionHooks;
  #machine: MachineHost<typeof sessionMachine>;
  #renewal: Renewal;
  #object: KubeObject | undefined;
  #timers = new Map<'renew' | 'fence' | 'echo', Timer>();
  #inFlight = false;
  /** Facts changed while a request was in flight. */
  #stale = false;
  #leaving = false;
  /** Requests of an earlier session must not touch the present one. */
  #generation = 0;

  constructor(ports: SessionPorts, config: SessionConfig, hooks: SessionHooks) {
    this.#ports = ports;
    this.#config = config;
    this.#hooks = hooks;
    this.#renewal = new Renewal(config.settings.duration);
    this.#machine = new MachineHost(sessionMachine, {
      clock: ports.clock, wake: ports.wake, execute: (effect) => this.#execute(effect),
    });
  }

  get state(): SessionStateName {
    // The machine is flat and has these states only.
    return this.#machine.state as SessionStateName;
  }

  /** Live or leaving: keys may exist. */
  get open(): boolean {
    return this.state === 'live' || this.state === 'leaving';
  }

  get fence(): Micros | undefined {
    return this.open ? this.#renewal.fence : undefined;
  }

  /** True while an answer may be given: open and before the fence. */
  get answering(): boolean {
    const { fence } = this;
    return fence !== undefined && this.#ports.clock.boot() < fence;
  }

  need(): void {
    if (this.state === 'idle' || this.state === 'ended') this.#machine.send({ type: 'NEEDED' });
  }

  notNeeded(): void {
    if (this.state === 'live') this.#machine.send({ type: 'NOT_NEEDED' });
  }

  stop(): void {
    this.#machine.send({ type: 'STOP' });
  }

  allReleased(): void {
    if (this.state === 'leaving') this.#machine.send({ type: 'ALL_RELEASED' });
  }

  /** Rule S7, asked at every wake-up: a passed fence ends the session. */
  checkFence(): void {
    const { fence } = this;
    if (fence === undefined || this.#ports.clock.boot() < fence) return;
    this.#ports.journal.note({
      level: 'warn', component: 'l2', code: 'l2.fenceExpired', object: this.identity,
      text: 'no renewal counted in time: this node stops answering and opens a new session',
    });
    this.#machine.send({ type: 'EXPIRED' });
  }

  /** Links, declined addresses or notices changed: tells at once, not with the next renewal. */
  publish(): void {
    if (!this.open) return;
    if (this.#inFlight) this.#stale = true;
    else this.#renew();
  }

  /** The stream delivered the own Lease, or its absence. */
  delivered(seen: SessionSeen | undefined): void {
    if (this.identity === '') return;
    if (seen === undefined || !seen.open) {
      // Absence before the create was delivered says nothing.
      if (this.open) this.#machine.send({ type: 'DENIED' });
      return;
    }
    this.#object = seen.live.version;
    const { seq, resourceVersion } = seen.live;
    const boot = this.#ports.clock.boot();
    const rose = this.#renewal.deliver(seq, resourceVersion, boot);
    if (!rose) return this.#watchEcho();
    const sent = (this.#renewal.fence ?? 0) - this.#renewal.duration;
    this.#measure('l2_session_echo_seconds', boot - sent);
    if (this.state === 'opening') this.#opened();
    else this.#hooks.extended(this.#renewal.fence ?? 0);
    this.#watchFence();
    this.#watchEcho();
  }

  #measure(name: string, took: Micros): void {
    this.#ports.journal.measure?.({ name, value: took / 1_000_000, labels: {} });
  }

  #opened(): void {
    const inTime = this.#ports.clock.boot() < (this.#renewal.fence ?? 0);
    this.#machine.send({ type: 'ECHO', inTime });
  }

  #execute(effect: Effect): void {
    switch (effect.type) {
      case 'open': return this.#open();
      case 'reopen': return this.#reopen();
      case 'live': return this.#live();
      case 'lost': return this.#lost(effect.params as { readonly reason: string });
      case 'leave': return this.#leave();
      case 'close': return this.#close();
      case 'drop': return this.#hooks.dropAll(() => this.#close());
      case 'silenced': return this.#silenced();
      case 'abandon': return this.#forget();
      default: return this.#hooks.ended();
    }
  }

  #open(): void {
    const { clock, random, kube } = this.#ports;
    const { nodeName, namespace, settings } = this.#config;
    this.#forget();
    do {
      const instance = [0, 0].map(
        () => random.below(0x1_0000).toString(16).padStart(4, '0'),
      ).join('');
      this.identity = identityOf(nodeName, instance);
    } while (this.#hooks.taken(this.identity));
    this.#renewal = new Renewal(settings.duration);
    const state = this.#stateAt(this.#renewal.send(clock.boot()));
    const times = { duration: settings.duration, wall: clock.wall() };
    const body = newSession({ identity: this.identity, namespace }, state, times);
    const generation = this.#generation;
    const request = {
      verb: 'create', resource: resources.leases, namespace, body, timeout: this.#timeout,
    } as const;
    kube.request(request, (result) => this.#ports.wake(() => {
      if (generation !== this.#generation) return;
      if (result.ok) return this.#acknowledged(0, result.value);
      this.trouble = result.error;
      // An unknown outcome may still be delivered; the timer decides about it.
      if (result.error.kind !== 'unknown-outcome') this.#machine.send({ type: 'WRITE_FAILED' });
    }));
  }

  #reopen(): void {
    this.#forget();
    const { clock, wake } = this.#ports;
    const generation = this.#generation;
    clock.after(this.#config.settings.renew, () => wake(() => {
      if (generation === this.#generation) this.#machine.send({ type: 'TIMER', timer: 'retry' });
    }));
  }

  #live(): void {
    this.openedAt = this.#ports.clock.now();
    this.trouble = undefined;
    this.#leaving = false;
    this.#watchFence();
    // The first phase is random, so that the renewals of a cluster do not march in step.
    this.#arm('renew', this.#ports.random.below(this.#config.settings.renew), () => this.#renew());
    this.#hooks.live();
  }

  #lost({ reason }: { readonly reason: string }): void {
    const { identity } = this;
    this.past.add(identity);
    this.#forget();
    this.#hooks.lost(reason, identity);
  }

  #silenced(): void {
    const { identity } = this;
    this.#forget();
    this.#hooks.lost('leaving', identity);
    this.#hooks.ended();
  }

  #leave(): void {
    this.#leaving = true;
    this.publish();
    this.#hooks.leaving();
  }

  #forget(): void {
    this.#generation += 1;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#inFlight = false;
    this.#stale = false;
    this.#object = undefined;
  }

  get #timeout(): Micros {
    return Math.min(this.#config.settings.renew, 1_000_000);
  }

  #stateAt(seq: number): SessionState {
    const { duration } = this.#renewal;
    return {
      seq, durationMs: Math.floor(duration / 1000), bootId: this.#config.bootId,
      state: this.#leaving ? 'leaving' : 'live', ...this.#hooks.facts(),
    };
  }

  /** Rule S4: one request in flight; the send time is read before the request leaves. */
  #renew(): void {
    if (this.#inFlight || !this.open || this.#object === undefined) return;
    const { clock, kube } = this.#ports;
    const { namespace, settings } = this.#config;
    this.#arm('renew', settings.renew, () => this.#renew());
    this.#inFlight = true;
    this.#stale = false;
    const sent = clock.boot();
    const seq = this.#renewal.send(sent);
    const { resourceVersion } = this.#renewal;
    const body = changedLease(this.#object, {
      annotations: { [sessionAnnotation]: sessionStateText(this.#stateAt(seq)) },
      spec: { renewTime: formatMicroTime(clock.wall()) },
      label: 'session',
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    });
    const ref = { resource: resources.leases, namespace, name: sessionName(this.identity) };
    const generation = this.#generation;
    const request = { verb: 'update', ref, body, timeout: this.#timeout } as const;
    kube.request(request, (result) => this.#ports.wake(() => {
      if (generation !== this.#generation) return;
      this.#inFlight = false;
      this.#measure('l2_session_renew_seconds', clock.boot() - sent);
      if (result.ok) this.#acknowledged(seq, result.value);
      else this.#renewFailed(result.error);
      if (this.#stale) this.#renew();
    }));
  }

  #acknowledged(
    seq: number, answer: { readonly kind: string; readonly object?: KubeObject },
  ): void {
    this.trouble = undefined;
    const resourceVersion = answer.object?.metadata?.resourceVersion;
    if (resourceVersion === undefined) return;
    this.#renewal.acknowledge(seq, resourceVersion, this.#ports.clock.boot());
    this.#watchEcho();
  }

  #renewFailed(error: KubeError): void {
    if (error.kind === 'conflict') return this.#reread();
    this.trouble = error;
    if (error.kind === 'gone') return this.#machine.send({ type: 'DENIED' });
    this.#retry(error);
  }

  // "At once" with a floor: a server that refuses within a millisecond must not be asked a thousand
  // times a second.
  #retry(error: KubeError): void {
    const { renew } = this.#config.settings;
    const floor = error.kind === 'unknown-outcome' ? 0 : Math.min(Math.floor(renew / 4), 100_000);
    this.#arm(
      'renew', Math.max(floor, Math.min(error.retryAfter ?? 0, renew)), () => this.#renew(),
    );
  }

  /** Row 6: after a conflict the Lease is read; still ours, its version is adopted. */
  #reread(): void {
    const { kube, wake } = this.#ports;
    const ref = {
      resource: resources.leases,
      namespace: this.#config.namespace,
      name: sessionName(this.identity),
    };
    const generation = this.#generation;
    this.#inFlight = true;
    kube.request({ verb: 'get', ref, timeout: this.#timeout }, (result) => wake(() => {
      if (generation !== this.#generation) return;
      this.#inFlight = false;
      if (!result.ok) {
        if (result.error.kind === 'gone') return this.#machine.send({ type: 'DENIED' });
        this.trouble = result.error;
        return this.#retry(result.error);
      }
      if (result.value.kind !== 'object' || !this.#isOurs(result.value.object)) {
        return this.#machine.send({ type: 'DENIED' });
      }
      this.#object = result.value.object;
      this.#renewal.adopt(result.value.object.metadata?.resourceVersion ?? '', this.#renewal.seq);
      this.#renew();
    }));
  }

  #isOurs(object: KubeObject): boolean {
    const spec = object['spec'] as { readonly holderIdentity?: unknown } | undefined;
    const annotations = object.metadata?.['annotations'];
    const closed = typeof annotations === 'object' && annotations !== null
      && closedAnnotation in annotations;
    return spec?.holderIdentity === this.identity && !closed;
  }

  #watchFence(): void {
    const { fence } = this.#renewal;
    if (fence === undefined || this.#timers.has('fence')) return;
    // Armed once and met again where it moved: re-arming per renewal would fill the heap.
    this.#arm('fence', Math.max(0, fence - this.#ports.clock.boot()), () => this.#watchFence());
  }

  /** Rule S6. */
  #watchEcho(): void {
    const { overdueAt } = this.#renewal;
    if (overdueAt === undefined || this.#timers.has('echo')) return;
    this.#arm('echo', Math.max(0, overdueAt - this.#ports.clock.boot()), () => {
      const due = this.#renewal.overdueAt;
      if (due === undefined) return;
      if (this.#ports.clock.boot() < due) return this.#watchEcho();
      this.#renewal.forgiven(this.#ports.clock.boot());
      this.#hooks.relist();
      this.#watchEcho();
    });
  }

  #arm(name: 'renew' | 'fence' | 'echo', delay: Micros, callback: () => void): void {
    this.#timers.get(name)?.cancel();
    const fire = (): void => {
      this.#timers.delete(name);
      callback();
    };
    this.#timers.set(name, this.#ports.clock.after(delay, () => this.#ports.wake(fire)));
  }

  /** Rows 11 and 12: empty holder with the annotation that says who closed it, then deletion. */
  #close(): void {
    const { kube, wake } = this.#ports;
    const object = this.#object;
    const { identity } = this;
    const { resourceVersion, seq } = this.#renewal;
    this.#forget();
    this.past.add(identity);
    if (object === undefined) return this.#hooks.ended();
    const body = changedLease(object, {
      annotations: { [closedAnnotation]: `${identity} ${seq}` },
      spec: { holderIdentity: '' },
      label: 'session',
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    });
    const ref = {
      resource: resources.leases, namespace: this.#config.namespace, name: sessionName(identity),
    };
    const finish = (): void => wake(() => this.#hooks.ended());
    kube.request({ verb: 'update', ref, body, timeout: this.#timeout }, (result) => {
      if (!result.ok || result.value.kind !== 'object' || this.#hooks.taken(identity)) {
        return finish();
      }
      const closed = result.value.object.metadata?.resourceVersion;
      const preconditions = closed === undefined ? {} : {
        preconditions: { resourceVersion: closed },
      };
      kube.request({ verb: 'delete', ref, ...preconditions, timeout: this.#timeout }, finish);
    });
  }
}
