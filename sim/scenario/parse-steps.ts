import type { Json, KubeObject } from '../../kube/port.ts';
import { faultsOf } from '../fault/fault.ts';
import { parseDuration } from './quantity.ts';
import { Reader } from './reader.ts';
import { readCheck } from './parse-checks.ts';
import type { Action, ApiCall, Step, Trigger, When } from './spec.ts';

const second = 1_000_000;
const actions = [
  'fault', 'heal', 'apply', 'delete', 'patch', 'request', 'waitFor', 'mark', 'check',
] as const;

/** The steps of a scenario: each has one trigger and one action (simulator.md 7.1). */
export function readSteps(steps: readonly Reader[]): Step[] {
  return steps.flatMap((step) => {
    const trigger = readTrigger(step);
    const action = readAction(step);
    step.finish();
    return action === undefined ? [] : [{ trigger, action, path: step.path }];
  });
}

function readTrigger(step: Reader): Trigger {
  if (step.has('when')) return { kind: 'when', when: readWhen(step.child('when')) };
  if (step.has('every')) return { kind: 'every', period: step.duration('every') ?? second };
  const at = step.raw('at');
  if (at === undefined) return { kind: 'after', delay: 0 };
  const text = typeof at === 'number' ? String(at) : typeof at === 'string' ? at : '';
  const relative = text.startsWith('+');
  const time = parseDuration(relative ? text.slice(1) : text) ?? (text === '0' ? 0 : undefined);
  if (time === undefined)
    step.fault('at', 'expected a time such as 10s, or +10s after the step before');
  return relative ? { kind: 'after', delay: time ?? 0 } : { kind: 'at', time: time ?? 0 };
}

function readWhen(when: Reader): When {
  const count = when.count('count') ?? 1;
  for (const kind of ['sequence', 'all', 'any'] as const) {
    if (!when.has(kind)) continue;
    const of = when.readers(kind).map(readWhen);
    when.finish();
    return { kind, of };
  }
  if (when.has('mark')) {
    const mark = when.text('mark') ?? '';
    when.finish();
    return { kind: 'mark', mark, count };
  }
  const pattern = {
    object: when.text('object') ?? '',
    change: when.text('change') ?? '',
    value: when.raw('value'),
  };
  if (pattern.object === '') when.fault('', 'expected one of object, mark, sequence, all, any');
  when.finish();
  return { kind: 'object', pattern, count };
}

function readAction(step: Reader): Action | undefined {
  const present = actions.filter((name) => step.has(name));
  const kind = present[0];
  if (kind === undefined || present.length > 1) {
    step.fault('', `expected exactly one of ${actions.join(', ')}`);
    return undefined;
  }
  switch (kind) {
    case 'fault': {
      const use = {
        name: step.text('fault') ?? '',
        with: mapping(step, 'with'),
        for: step.duration('for'),
        path: step.path,
      };
      step.faults.push(...faultsOf(use));
      return { kind, fault: use };
    }
    case 'heal': {
      const narrowed = step.has('with') ? mapping(step, 'with') : undefined;
      return { kind, name: step.text('heal') ?? '', with: narrowed };
    }
    case 'apply':
      return readApply(step);
    case 'delete':
      return { kind, objects: step.texts('delete') };
    case 'patch':
      return readPatch(step);
    case 'request':
      return { kind, request: readRequest(step.child('request')) };
    case 'waitFor': {
      const state = step.oneOf('waitFor', ['quiescent', 'converged']) ?? 'quiescent';
      return { kind, state, timeout: step.duration('timeout') ?? 120 * second };
    }
    case 'mark':
      return { kind, mark: step.text('mark') ?? '' };
    case 'check':
      return { kind, checks: step.readers('check').flatMap(readCheck) };
  }
}

function mapping(step: Reader, field: string): Readonly<Record<string, unknown>> {
  const child = step.child(field);
  return Object.fromEntries(child.names().map((name) => [name, child.raw(name)]));
}

// `patch: services/web/nginx` beside `with`, or both inside: `patch: {object, with}`.
function readPatch(step: Reader): Action {
  if (typeof step.raw('patch') === 'string') {
    return { kind: 'patch', object: step.text('patch') ?? '', patch: mapping(step, 'with') };
  }
  const inner = step.child('patch');
  const object = inner.text('object') ?? '';
  if (object === '') inner.fault('object', 'is required');
  const patch = mapping(inner, 'with');
  inner.finish();
  return { kind: 'patch', object, patch };
}

function readRequest(request: Reader): ApiCall {
  const method = request.oneOf('method', ['POST', 'PUT', 'PATCH', 'DELETE']) ?? 'POST';
  const path = request.text('path') ?? '';
  if (!path.startsWith('/')) request.fault('path', 'expected a path of the API: /api/v1/…');
  const type = request.text('type');
  const user = request.text('user') ?? 'kubernetes-admin';
  const body = request.raw('body');
  request.finish();
  return {
    method, path, user,
    ...(type !== undefined && { type }),
    // YAML holds nothing that JSON does not.
    ...(body !== undefined && { body: body as Json }),
  };
}

function readApply(step: Reader): Action {
  const items = step.oneOrMore('apply', (value, path) => ({ value, path }));
  const objects: KubeObject[] = [];
  const files: string[] = [];
  for (const { value, path } of items) {
    if (typeof value === 'string') files.push(value);
    else if (typeof value === 'object' && value !== null) objects.push(value as KubeObject);
    else step.faults.push({ path, message: 'expected an object or the name of a file' });
  }
  return { kind: 'apply', objects, files };
}
