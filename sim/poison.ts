/** What the core may not touch while a world runs (simulator.md 3.2). */
const bannedGlobals = [
  'Date', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'performance', 'fetch',
  'crypto', 'process', 'console', 'structuredClone', 'Intl', 'AbortSignal', 'WeakRef',
  'FinalizationRegistry', 'Atomics', 'SharedArrayBuffer', 'Promise',
] as const;

const bannedMath = [
  'random', 'pow', 'exp', 'expm1', 'log', 'log2', 'log10', 'log1p', 'sin', 'cos', 'tan', 'asin',
  'acos', 'atan', 'atan2', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'cbrt', 'hypot',
] as const;

/** A banned global was used inside a simulated instant; the stack names the site. */
export class NondeterminismError extends Error {
  override readonly name = 'NondeterminismError';
}

/**
 * Runs `body` with the banned globals replaced by getters that throw. The core is synchronous, so
 * nothing else of the process can run inside this window and be harmed.
 */
export function withPoisonedGlobals<T>(body: () => T): T {
  const restores = [
    ...bannedGlobals.map((name) => poison(globalThis, name, name)),
    ...bannedMath.map((name) => poison(Math, name, `Math.${name}`)),
  ];
  try {
    return body();
  } finally {
    for (const restore of restores.reverse()) restore();
  }
}

function poison(owner: object, name: string, shown: string): () => void {
  const original = Object.getOwnPropertyDescriptor(owner, name);
  if (original === undefined || original.configurable !== true) return () => undefined;
  Object.defineProperty(owner, name, {
    configurable: true,
    get(): never {
      throw new NondeterminismError(`${shown} was used inside the deterministic core`);
    },
  });
  return () => Object.defineProperty(owner, name, original);
}
