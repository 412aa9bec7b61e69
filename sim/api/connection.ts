import type { Micros } from '../../lb/ports.ts';
import type { ApiEnd } from './client.ts';
import type { Direction } from './path.ts';

/** How long a connection lives while nothing passes: nine probes, 15 s apart (simulator.md 5.6). */
export const keepalive: Micros = 9 * 15_000_000;

interface Parked {
  readonly direction: Direction;
  readonly since: Micros;
  readonly digest: number;
  readonly arrive: () => void;
}

/**
 * Carries requests and answers of one client. What meets a partition waits in the socket and goes
 * on after the heal, even when the client gave up on it meanwhile: a late write is a real thing.
 * It is dropped when the connection dies of silence or its process ends.
 */
export class Connection {
  readonly #end: ApiEnd;
  #parked: Parked[] = [];

  constructor(end: ApiEnd) {
    this.#end = end;
    const stop = end.path.onChange(() => { this.#release(); });
    end.process.onEnd(() => {
      this.#parked = [];
      stop();
    });
  }

  /** Delivers after `delay`, or after the partition that it meets. */
  send(direction: Direction, message: { delay: Micros; digest: number }, arrive: () => void): void {
    const { process, path, client } = this.#end;
    const what = { kind: direction === 'out' ? 'api.request' : 'api.answer', entity: process.name };
    process.world.schedule(message.delay, what, () => {
      if (!path.blocks(client, direction)) return arrive();
      if (!process.alive) return;
      this.#parked.push({ direction, since: process.world.now, digest: message.digest, arrive });
    }, { digest: message.digest });
  }

  #release(): void {
    const { path, client, process } = this.#end;
    if (this.#parked.length === 0) return;
    const oldest = process.world.now - keepalive;
    const parked = this.#parked.filter((message) => message.since > oldest);
    const free = parked.filter((message) => !path.blocks(client, message.direction));
    this.#parked = parked.filter((message) => !free.includes(message));
    for (const { direction, digest, arrive } of free) {
      this.send(direction, { delay: path.latency.min, digest }, arrive);
    }
  }
}
