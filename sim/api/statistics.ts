import { compareText } from '../../lb/table.ts';
import type { Micros } from '../../lb/ports.ts';
import type { Resource } from '../../kube/resource.ts';

/** Requests of one sort within one minute of virtual time. */
export interface RequestCount {
  /** Minutes since the start of the world. */
  readonly minute: number;
  readonly verb: string;
  readonly resource: string;
  readonly user: string;
  readonly requests: number;
  /** Of these, writes that took a version. */
  readonly commits: number;
  /** Of these, writes of equal content, which took none. */
  readonly unchanged: number;
  readonly refused: number;
}

interface Tally {
  readonly row: Omit<RequestCount, 'requests' | 'commits' | 'unchanged' | 'refused'>;
  requests: number;
  commits: number;
  unchanged: number;
  refused: number;
}

const minuteLength: Micros = 60_000_000;

/** How much the API server was asked: what the write budget and the what-if table are judged by. */
export class RequestStatistics {
  #tallies = new Map<string, Tally>();

  count(
    request: {
      readonly verb: string;
      readonly resource: Resource;
      readonly user: string;
      readonly now: Micros;
    },
  ): Tally {
    const { verb, user, now } = request;
    const minute = Math.floor(now / minuteLength);
    const key = `${minute} ${verb} ${request.resource.plural} ${user}`;
    let tally = this.#tallies.get(key);
    if (tally === undefined) {
      const resource = request.resource.plural;
      tally = {
        row: { minute, verb, resource, user }, requests: 0, commits: 0, unchanged: 0, refused: 0,
      };
      this.#tallies.set(key, tally);
    }
    tally.requests += 1;
    return tally;
  }

  /** All counts by minute, verb, resource and user. */
  rows(): RequestCount[] {
    const rows = [...this.#tallies.values()].map((tally): RequestCount => {
      const { requests, commits, unchanged, refused } = tally;
      return { ...tally.row, requests, commits, unchanged, refused };
    });
    return rows.sort((left, right) => left.minute - right.minute
      || compareText(
        `${left.verb} ${left.resource} ${left.user}`,
        `${right.verb} ${right.resource} ${right.user}`,
      ));
  }
}
