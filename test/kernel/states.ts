import type { EndpointSlice, Service } from '../../lb/model.ts';
import { endpoint, everyEndpoint, ingressEntry, service, slice } from '../datapath/fixture.ts';

/** What a cluster wants. */
export interface State {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

const all = [slice(everyEndpoint)];

/** The states between which the maps of a kernel are changed, the first of them the usual one. */
export const states: Readonly<Record<string, State>> = {
  'the usual': { services: [service()], slices: all },
  'every endpoint is another': {
    services: [service()],
    slices: [slice([endpoint('10.64.1.77', { nodeName: 'n-a' }), endpoint('10.64.2.77')])],
  },
  'another address and policy': {
    services: [service({
      ingress: [ingressEntry('198.51.100.11')], internalTrafficPolicy: 'Local',
    })],
    slices: all,
  },
  'the Service goes': { services: [], slices: [] },
};
