import { objectText } from '../../bpf/object.gen.ts';
import type { FeatureName } from '../../bpf/features.ts';
import { encodeOptions } from '../../bpf/layout.gen.ts';
import { programOptions } from '../../bpf/options.ts';
import { compile, withVariables, type CompiledObject } from '../../bpf/vm/compile.ts';
import { loadObject } from '../../bpf/vm/object.ts';
import { base64Bytes } from '../../lb/base64.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';

/**
 * The object as the engine executes it. `checked` stops at the first access outside of what the
 * verifier of a kernel would have let it touch, at about twice the price (engine.md G5).
 */
export function translateObject(mode: 'fast' | 'checked'): CompiledObject {
  return compile(loadObject(base64Bytes(objectText)), { mode });
}

/** The engine can do all that programs may ask of a kernel. */
const features: ReadonlySet<FeatureName> = new Set([
  'set-retval', 'loop', 'ktime-coarse', 'check-mtu',
]);

/** The object as a kernel has it after a load with these options. */
export function loadedObject(
  translated: CompiledObject, datapath: DatapathOptions,
): CompiledObject {
  const settings = { datapath, socketLb: 'full', bindProtection: true } as const;
  return withVariables(translated, {
    fl_options: encodeOptions(programOptions(settings, features)),
  });
}
