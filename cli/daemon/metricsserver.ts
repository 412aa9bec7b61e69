import { HttpListener } from '../../bpf/httplistener.real.ts';
import type { Journal } from '../../lb/ports.ts';
import type { Meters } from './meters.ts';
import type { Place } from './values.ts';

/** Serves `/metrics` as Prometheus reads it. */
export function serveMetrics(place: Place, meters: Meters, journal: Journal): HttpListener {
  return new HttpListener({
    ...place,
    answer: async (path) => {
      const found = path === '/metrics';
      return {
        status: found ? 200 : 404,
        headers: { 'Content-Type': found ? meters.registry.contentType : 'text/plain' },
        body: found ? await meters.text() : 'not found\n',
      };
    },
    refused: (errno) => journal.note({
      level: 'warn', component: 'metrics', code: 'metrics.portRefused',
      text: `${place.host}:${place.port}: ${errno}; asked for again every 10 s`,
    }),
  });
}
