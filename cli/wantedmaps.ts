import { mapDifferences, type MapDifference } from '../bpf/views/mapcheck.ts';
import type { MapReader } from '../bpf/views/mapreader.ts';
import type { DatapathOptions } from '../lb/datapathoptions.ts';
import type { EndpointSlice, Node, Service } from '../lb/model.ts';
import { nodeFacts, placeOf } from '../lb/nodefacts.ts';
import { deriveServicePorts, DerivationMemo } from '../lb/serviceport.ts';
import { ViewIndex } from '../lb/view.ts';

/** What says how the maps of one node should be. */
export interface WantedMaps {
  readonly nodeName: string;
  readonly options: DatapathOptions;
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

/** How the maps of a node differ from what the cluster's objects ask for, in order of front. */
export function differencesOf(maps: MapReader, wanted: WantedMaps): MapDifference[] {
  const { nodeName, nodes, options } = wanted;
  const view = new ViewIndex(nodeFacts(nodeName, nodes, options));
  const place = placeOf(nodeName, nodes.find(({ meta }) => meta.name === nodeName));
  const context = { place, algorithm: options.algorithm, memo: new DerivationMemo('one') };
  const slices = Map.groupBy(wanted.slices, ({ service }) => service);
  const records = wanted.services.flatMap((service) => (
    deriveServicePorts(service, slices.get(service.key) ?? [], context)
  ));
  for (const record of records) view.set(record);
  return mapDifferences(maps, view, records.filter((record) => record.kind === 'service-port'));
}
