import { compileSelector } from '../../lb/selector.ts';
import type { Catalog } from './catalog.ts';
import type { NodeTest } from './affinity.ts';
import { fields, items, selectorOf, text, texts, type Fields } from './fields.ts';
import { podFinished, type PodView } from './pod.ts';

/**
 * Required pod anti-affinity: a node is out when a pod that the term selects runs in the same
 * topology domain. Judged against the pods of the moment; the reverse rule, terms of running pods
 * against this one, is left out. Undefined where a pod demands nothing.
 */
export function apartTest(pod: PodView, catalog: Catalog): NodeTest | undefined {
  const affinity = fields(fields(pod.spec.fields['affinity'])['podAntiAffinity']);
  const terms = items(affinity['requiredDuringSchedulingIgnoredDuringExecution']);
  if (terms.length === 0) return undefined;
  const tests = terms.map((term) => termTest(pod, term, catalog));
  return (node) => tests.every((test) => test(node));
}

function termTest(pod: PodView, term: Fields, catalog: Catalog): NodeTest {
  const topologyKey = text(term['topologyKey']);
  const taken = new Set<string>();
  for (const other of selected(pod, term, catalog)) {
    const place = catalog.node(other.spec.nodeName);
    const domain = place?.labels[topologyKey] ?? hostname(topologyKey, other.spec.nodeName);
    if (other.uid !== pod.uid && !podFinished(other) && domain !== undefined) taken.add(domain);
  }
  return (node) => {
    const domain = node.labels[topologyKey] ?? hostname(topologyKey, node.name);
    return domain === undefined || !taken.has(domain);
  };
}

// A term without a selector selects nothing; without namespaces it looks at the pod's own.
function selected(pod: PodView, term: Fields, catalog: Catalog): readonly PodView[] {
  if (term['labelSelector'] === undefined) return [];
  const selector = selectorOf(term['labelSelector']);
  const compiled = compileSelector(selector);
  if (!compiled.ok) return [];
  const stated = texts(term['namespaces']);
  const namespaces = stated.length > 0 ? stated : [pod.namespace];
  const narrowed = Object.keys(selector.matchLabels).length > 0;
  const candidates = narrowed
    ? namespaces.flatMap((namespace) => catalog.podsMatching(namespace, selector.matchLabels))
    : catalog.nodes().flatMap((node) => catalog.podsOn(node.name));
  return candidates.filter((other) => other.spec.nodeName !== ''
    && namespaces.includes(other.namespace) && compiled.value(other.labels));
}

// Kubelets label their node with its name; manifests often leave that out.
function hostname(topologyKey: string, name: string): string | undefined {
  return topologyKey === 'kubernetes.io/hostname' ? name : undefined;
}
