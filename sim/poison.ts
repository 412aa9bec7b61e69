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
 * Runs `body` with the banned globals replaced by getters, and those functions of Math by others,
 * that throw. The core is synchronous, so nothing else of the process can run inside this window
 * and be harmed.
 */
export function withPoisonedGlobals<T>(body: () => T): T {
  const restores = [
    ...bannedGlobals.map((name) => poisonGlobal(name)),
    ...bannedMath.map((name) => poisonMath(name)),
  ];
  try {
    return body();
  } finally {
    for (const restore of restores.reverse()) restore();
  }
}

function poisonGlobal(name: string): () => void {
  const original = Object.getOwnPropertyDescriptor(globalThis, name);
  if (original === undefined || original.configurable !== true) return () => undefined;
  Object.defineProperty(globalThis, name, { configurable: true, get: () => refuse(name) });
  return () => Object.defineProperty(globalThis, name, original);
}

// An assignment, for a getter turns Math into a dictionary for the rest of the process: no call of
// its other functions is compiled to an instruction then, and they are everywhere.
function poisonMath(name: (typeof bannedMath)[number]): () => void {
  const original = Math[name];
  Object.assign(Math, { [name]: () => refuse(`Math.${name}`) });
  return () => Object.assign(Math, { [name]: original });
}

function refuse(name: string): never {
  throw new NondeterminismError(`${name} was used inside the deterministic core`);
}
