import type { Clock } from '../../lb/ports.ts';
import { err, type Result } from '../../lb/result.ts';
import type { SpeakerDone, SpeakerError, SpeakerPort, Speakers } from '../port.ts';
import type { BgpSettings, SpeakerSettings } from '../settings.ts';
import { superviseDaemon } from './daemon.real.ts';
import { grpcPort } from './rpc.real.ts';
import { createGobgpSpeaker } from './speaker.ts';

export interface GobgpSpeakersOptions {
  readonly clock: Clock;
  readonly settings: Pick<BgpSettings, 'drainSeconds' | 'deferralSeconds'>
    & { readonly speaker: SpeakerSettings };
  /** A daemon outlives this process; false in a container. */
  readonly survives: boolean;
}

/** One GoBGP daemon for each instance, ours or somebody else's by the settings (bgp.md 5.1). */
export function gobgpSpeakers({ clock, settings, survives }: GobgpSpeakersOptions): Speakers {
  const { speaker, drainSeconds, deferralSeconds } = settings;
  const usual = { clock, rpc: grpcPort, drainSeconds, deferralSeconds };
  return {
    endsWithAgent: speaker.mode === 'supervised' && !survives,
    open: (instance) => {
      if (speaker.mode === 'external') {
        const endpoint = speaker.endpoints[instance];
        if (endpoint === undefined) return absent(clock, instance);
        return createGobgpSpeaker({ ...usual, endpoint, daemon: undefined });
      }
      const daemon = superviseDaemon({
        command: speaker.command, directory: speaker.directory, instance, survives,
      });
      return createGobgpSpeaker({ ...usual, endpoint: daemon.endpoint, daemon });
    },
  };
}

/** The speaker of an instance that `bgp.speaker.endpoints` does not name. */
function absent(clock: Clock, instance: string): SpeakerPort {
  const error: SpeakerError = {
    kind: 'unsupported', text: `bgp.speaker.endpoints names no speaker of instance ${instance}`,
  };
  const refuse = (done: SpeakerDone, result: Result<void, SpeakerError>): void => {
    clock.after(0, () => done(result));
  };
  return {
    start: (_, done) => refuse(done, err(error)),
    setPeers: (_, done) => refuse(done, err(error)),
    setRoutes: (_peer, _routes, done) => refuse(done, err(error)),
    stop: (_, done) => refuse(done, { ok: true, value: undefined }),
    subscribe: (listener) => {
      const timer = clock.after(0, () => listener({ kind: 'blocked', error }));
      return () => timer.cancel();
    },
  };
}
