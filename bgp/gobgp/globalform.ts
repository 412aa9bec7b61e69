import type { SpeakerGlobal } from '../port.ts';
import type { global } from './messages.ts';
import type { Read, Write } from './protobuf.ts';

/** In `listen_port`: no listener. 0 would be port 179 (G4). */
const notListening = -1;

export function globalMessageOf(
  { asn, routerId, listenPort }: SpeakerGlobal,
): Write<typeof global> {
  return { asn, router_id: routerId, listen_port: listenPort ?? notListening };
}

/** Whom a daemon is: nobody yet, the router that is wanted, or another one. */
export function compareGlobal(
  running: Read<typeof global> | undefined, wanted: SpeakerGlobal | undefined,
): 'empty' | 'same' | 'different' {
  if (running === undefined || running.asn === 0) return 'empty';
  if (wanted === undefined) return 'different';
  const { asn, router_id: routerId, listen_port: port } = globalMessageOf(wanted);
  const same = running.asn === asn && running.router_id === routerId;
  return same && running.listen_port === port ? 'same' : 'different';
}
