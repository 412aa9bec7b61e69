import type { Timer } from '../../lb/ports.ts';
import type { KubeObject } from '../../kube/port.ts';
import { canonicalJson } from '../check/canonical.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ObjectPattern, When } from './spec.ts';

/**
 * Arms a `when` and calls `fire` in a step of its own once it has happened. Objects are watched
 * where they are stored, so a trigger sees every transition, also those that no client sees.
 */
export function armWhen(cluster: Cluster, when: When, fire: () => void): void {
  let fired = false;
  watchWhen(cluster, when, () => {
    if (fired) return;
    fired = true;
    cluster.world.schedule(0, { kind: 'trigger', entity: 'scenario' }, fire, { band: 0 });
  });
}

function watchWhen(cluster: Cluster, when: When, met: () => void): void {
  switch (when.kind) {
    case 'object':
      return watchObject(cluster, when.pattern, countdown(when.count, met));
    case 'mark': {
      const counted = countdown(when.count, met);
      return cluster.world.onNote((note) => {
        if (note.code === when.mark) counted();
      });
    }
    case 'all': {
      const counted = countdown(when.of.length, met);
      for (const part of when.of) watchWhen(cluster, part, once(counted));
      return undefined;
    }
    case 'any':
      for (const part of when.of) watchWhen(cluster, part, met);
      return undefined;
    case 'sequence': {
      const [first, ...rest] = when.of;
      if (first === undefined) return met();
      return watchWhen(
        cluster,
        first,
        once(() => watchWhen(cluster, { kind: 'sequence', of: rest }, met)),
      );
    }
  }
}

function countdown(count: number, met: () => void): () => void {
  let left = count;
  return () => {
    left -= 1;
    if (left === 0) met();
  };
}

function once(call: () => void): () => void {
  let called = false;
  return () => {
    if (called) return;
    called = true;
    call();
  };
}

function watchObject(cluster: Cluster, pattern: ObjectPattern, met: () => void): void {
  const matches = globPath(pattern.object);
  const last = new Map<string, string>();
  cluster.store.onObject((name, object) => {
    if (!matches(name)) return;
    const value = object === undefined ? undefined : fieldAt(object, pattern.change);
    const text = canonicalJson(value);
    if (last.get(name) === text) return;
    const known = last.has(name);
    last.set(name, text);
    if (pattern.value !== undefined && text !== canonicalJson(pattern.value)) return;
    // The first sight of an object is a change only where a value was asked for.
    if (known || pattern.value !== undefined) met();
  });
}

/** Matches `plural/namespace/name`, or `plural/name`, with `*` inside a part. */
export function globPath(pattern: string): (name: string) => boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/gu, '\\$&'))
    .join('[^/]*');
  const expression = new RegExp(`^${source}$`, 'u');
  return (name) => expression.test(name);
}

function fieldAt(object: KubeObject, path: string): unknown {
  let value: unknown = object;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}

/** Repeats `action` each `period` until the returned timer is cancelled. */
export function armEvery(cluster: Cluster, period: number, action: () => void): Timer {
  let cancelled = false;
  const arm = (): void => {
    cluster.world.schedule(
      period,
      { kind: 'every', entity: 'scenario' },
      () => {
        if (cancelled) return;
        action();
        arm();
      },
      { band: 0 },
    );
  };
  arm();
  return {
    cancel: () => {
      cancelled = true;
    },
  };
}
