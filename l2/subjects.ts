import type { ObjectEvent } from '../lb/ports.ts';
import type { CompiledPolicy } from './policy.ts';
import type { Contribution } from './selection.ts';

/** What an Event is about. */
export type Subject = ObjectEvent['object'];

/** The Services that contribute an address, in the order given. Pure. */
export function serviceSubjects(contributions: readonly Contribution[]): Subject[] {
  return contributions.map(({ service }) => {
    const { namespace, name, uid } = service.meta;
    return { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
  });
}

/**
 * The policies behind an address, each once, in the order of the contributions: for the Events
 * that l2.md 14 marks. Pure.
 */
export function policySubjects(policies: Iterable<CompiledPolicy>): Subject[] {
  return [...new Set(policies)].map(({ name, uid }) => ({
    apiVersion: 'cilium.io/v2alpha1', kind: 'CiliumL2AnnouncementPolicy', namespace: '', name, uid,
  }));
}
