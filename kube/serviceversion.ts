import { equalJson } from '../lb/json.ts';
import type { Service } from '../lb/model.ts';
import type { Same } from './feed.ts';

/**
 * True for two versions of one Service that differ in their conditions alone: a controller's words
 * about the Service, which no node acts upon. While ten thousand Services get theirs, a node has
 * nothing to do. Pure.
 */
export function sameForNodes(before: Service, after: Service): boolean {
  return equalJson(withoutWords(before), withoutWords(after));
}

function withoutWords(service: Service): object {
  const { conditions: _conditions, meta, ...rest } = service;
  return { ...rest, meta: { ...meta, resourceVersion: '' } };
}

/** `sameForNodes` with a memory: a hundred nodes of one world ask about the same two versions. */
export function createServiceComparison(): Same<Service> {
  const known = new WeakMap<Service, { readonly before: Service; readonly same: boolean }>();
  return (before, after) => {
    const found = known.get(after);
    if (found?.before === before) return found.same;
    const same = sameForNodes(before, after);
    known.set(after, { before, same });
    return same;
  };
}
