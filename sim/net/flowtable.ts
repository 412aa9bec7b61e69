import type { Ip } from '../../lb/ip.ts';
import type { TcpConnection } from './tcp.ts';

const bucketsFirst = 4;

/**
 * The connections of one host by their ends. They come and go with every request, and a `Map` pays
 * for each of both with a new table every few times: here they are linked to one another.
 */
export class FlowTable {
  #buckets: (TcpConnection | undefined)[] = emptyBuckets(bucketsFirst);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The connection from a port of this host to a port of `remote`. */
  find(remote: Ip, localPort: number, remotePort: number): TcpConnection | undefined {
    let found = this.#buckets[this.#bucketOf(localPort, remotePort)];
    while (found !== undefined) {
      const { ends } = found;
      const alike = ends.localPort === localPort && ends.remotePort === remotePort;
      if (alike && ends.remote === remote) return found;
      found = found.nextInTable;
    }
    return undefined;
  }

  /** One with the same ends that is there already is found no more. */
  add(connection: TcpConnection): void {
    if (this.#size >= this.#buckets.length) this.#grow();
    this.#link(connection);
    this.#size += 1;
  }

  delete(connection: TcpConnection): void {
    const { localPort, remotePort } = connection.ends;
    const bucket = this.#bucketOf(localPort, remotePort);
    let before: TcpConnection | undefined;
    let found = this.#buckets[bucket];
    while (found !== undefined && found !== connection) {
      before = found;
      found = found.nextInTable;
    }
    if (found === undefined) return;
    if (before === undefined) this.#buckets[bucket] = connection.nextInTable;
    else before.nextInTable = connection.nextInTable;
    connection.nextInTable = undefined;
    this.#size -= 1;
  }

  /** All of them, the oldest first. */
  all(): readonly TcpConnection[] {
    const found: TcpConnection[] = [];
    for (const head of this.#buckets) {
      for (let one = head; one !== undefined; one = one.nextInTable) found.push(one);
    }
    return found.sort((left, right) => left.order - right.order);
  }

  #grow(): void {
    const all = this.all();
    this.#buckets = emptyBuckets(this.#buckets.length * 2);
    for (const connection of all) this.#link(connection);
  }

  #link(connection: TcpConnection): void {
    const bucket = this.#bucketOf(connection.ends.localPort, connection.ends.remotePort);
    connection.nextInTable = this.#buckets[bucket];
    this.#buckets[bucket] = connection;
  }

  // Ports are taken in turn on one side and are one and the same on the other.
  #bucketOf(localPort: number, remotePort: number): number {
    return (localPort ^ remotePort) & (this.#buckets.length - 1);
  }
}

function emptyBuckets(count: number): (TcpConnection | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}
