import type { Timer } from '../lb/ports.ts';
import { createHttpKube } from './httpkube.ts';
import type { KubePort } from './port.ts';
import { httpTransport, type TransportOptions } from './transport.real.ts';

/** The Kubernetes API, and the end of it. */
export interface RealKube extends KubePort {
  /** Ends what is under way without a word, and closes every connection. */
  close(): void;
}

/**
 * The Kubernetes API over the network. Answers and events come from the event loop, never inside
 * the call that asked. Throws an Error that names a token file which cannot be read.
 */
export function realKube(options: TransportOptions): RealKube {
  const transport = httpTransport(options);
  const kube = createHttpKube({ transport, clock: { after }, text: utf8Text });
  return {
    request: (request, done) => { kube.request(request, done); },
    watch: (request, sink) => kube.watch(request, sink),
    close: () => {
      kube.close();
      transport.close();
    },
  };
}

/** Bytes of UTF-8 as text; undefined for any others. */
export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function after(delay: number, callback: () => void): Timer {
  const timer = setTimeout(callback, Math.ceil(delay / 1000));
  return { cancel: () => { clearTimeout(timer); } };
}
