import type { Fault } from '../../lb/model.ts';
import { parseTimeMs } from '../../lb/time.ts';
import { listOf, objectOf } from './json.ts';

/** What is wrong with `status.conditions` where it holds metav1.Condition entries. */
export function conditionFaults(value: unknown): Fault[] {
  const faults: Fault[] = [];
  const types = new Set<unknown>();
  for (const [index, entry] of listOf(value).entries()) {
    const condition = objectOf(entry) ?? {};
    const path = `status.conditions[${index}]`;
    for (const field of ['type', 'reason']) {
      const text = condition[field];
      if (typeof text !== 'string' || text === '') {
        faults.push({ path: `${path}.${field}`, message: 'Required value' });
      }
    }
    const status = condition['status'];
    if (status !== 'True' && status !== 'False' && status !== 'Unknown') {
      faults.push({
        path: `${path}.status`, message: `Unsupported value: ${JSON.stringify(status)}`,
      });
    }
    const at = condition['lastTransitionTime'];
    if (typeof at !== 'string' || parseTimeMs(at) === undefined) {
      faults.push({
        path: `${path}.lastTransitionTime`, message: 'Required value: must be an RFC 3339 time',
      });
    }
    if (types.has(condition['type'])) {
      faults.push({
        path, message: `Duplicate value: ${JSON.stringify({ type: condition['type'] })}`,
      });
    }
    types.add(condition['type']);
  }
  return faults;
}
