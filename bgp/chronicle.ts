import { apiVersion, resources } from '../kube/resource.ts';
import type { BgpNodeConfig } from '../lb/bgpmodel.ts';
import type { Clock, EventSink, Journal, Micros } from '../lb/ports.ts';
import type { SkippedPeer } from './peers.ts';
import type { SessionReport } from './port.ts';

export interface ChroniclePorts {
  readonly clock: Clock;
  readonly events: EventSink;
  readonly journal: Journal;
}

/** Reasons of Events about a node's BGP (bgp.md 8). */
type Reason =
  | 'BGPSessionEstablished' | 'BGPSessionDown' | 'BGPSpeakerRestarted' | 'BGPPeerSkipped'
  | 'BGPDrainStarted' | 'BGPDrainFinished';

const restFor: Micros = 60_000_000;
const resource = resources.bgpNodeConfigs;

/** What happened to the sessions of a node: notes for logs, and Events about its NodeConfig. */
export class Chronicle {
  #ports: ChroniclePorts;
  #config: () => BgpNodeConfig | undefined;
  #told = new Map<Reason, Micros>();
  #skipped = new Set<string>();

  constructor(ports: ChroniclePorts, config: () => BgpNodeConfig | undefined) {
    this.#ports = ports;
    this.#config = config;
  }

  established(instance: string, { peer, remoteAsn, remoteId }: SessionReport): void {
    const who = `${instance}/${peer}`;
    this.#tell('BGPSessionEstablished', `${who}: with ${remoteId ?? 'its router'} of AS ${
      remoteAsn ?? 'unknown'}`);
  }

  down(instance: string, { peer, cause }: SessionReport): void {
    this.#tell('BGPSessionDown', `${instance}/${peer}: ${cause ?? 'the session ended'}`);
  }

  speakerBack(instance: string): void {
    this.#tell('BGPSpeakerRestarted', `${instance}: the speaker is back`);
  }

  drain(finished: boolean): void {
    if (finished) this.#tell('BGPDrainFinished', 'every session is closed');
    else this.#tell('BGPDrainStarted', 'every route is withdrawn');
  }

  /** Tells peers that are newly skipped. */
  skips(skipped: readonly (SkippedPeer & { readonly instance: string })[]): void {
    const held = new Set<string>();
    for (const { instance, peer, reason, text } of skipped) {
      const line = `${instance}/${peer}: ${reason} ${text}`;
      held.add(line);
      if (!this.#skipped.has(line)) this.#tell('BGPPeerSkipped', line);
    }
    this.#skipped = held;
  }

  #tell(reason: Reason, message: string): void {
    const { clock, events, journal } = this.#ports;
    const good = reason === 'BGPSessionEstablished' || reason.startsWith('BGPDrain');
    const config = this.#config();
    journal.note({
      level: good ? 'info' : 'warn', component: 'bgp', code: `bgp.${reason}`, text: message,
    });
    const last = this.#told.get(reason);
    if (config === undefined || (last !== undefined && clock.now() - last < restFor)) return;
    this.#told.set(reason, clock.now());
    const { name, uid } = config.meta;
    events.emit({
      object: { apiVersion: apiVersion(resource), kind: resource.kind, namespace: '', name, uid },
      type: good ? 'Normal' : 'Warning', reason, message,
    });
  }
}
